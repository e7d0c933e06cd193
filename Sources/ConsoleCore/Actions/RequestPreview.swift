public import CellGrid
internal import StreamModel

/// An operation as its engine will receive it, for reading beforehand. The one line of a sheet and the page of the whole request are two views
/// of this one value, which is made from the messages themselves.
public struct RequestPreview: Sendable, Equatable {
    /// One message to the engine.
    public struct Message: Sendable, Equatable {
        /// Method and path, or the method of the control protocol.
        public var head: SafeText
        /// The fields of its body that decide, the most important first; a value of nil = deliberately not sent.
        public var fields: [Field]
        /// The case in which it is not sent; nil = it is always sent.
        public var exception: SafeText?
        /// All of it, byte for byte where that is known beforehand.
        public var text: [SafeText]

        public init(_ head: SafeText, fields: [Field] = [], exception: SafeText? = nil, text: [SafeText]) {
            self.head = head
            self.fields = fields
            self.exception = exception
            self.text = text
        }

        fileprivate var line: SafeText {
            let fields = fields.map { field in field.value.map { "\(field.name) \($0)" } ?? "without \(field.name)" }.joined(separator: ", ")
            return "\(head)\(fields.isEmpty ? "" : " \(fields)")\(exception.map { ", unless \($0)" } ?? "")"
        }
    }

    public struct Field: Sendable, Equatable {
        public var name: String
        public var value: String?

        public init(_ name: String, _ value: String?) { (self.name, self.value) = (name, value) }
    }

    /// In the order in which they are sent.
    public var messages: [Message]

    public init(_ messages: [Message]) { self.messages = messages }

    /// What decides, in one line.
    public var line: SafeText { SafeText(messages.map(\.line.string).joined(separator: ", then ")) }
    /// The messages in full.
    public var lines: [SafeText] { messages.flatMap(\.text) }

    static let none = RequestPreview([Message("no exact request is available", text: ["no exact request is available"])])
}

extension ConsoleModel {
    /// The request of an operation, past or to come. Secrets are masked.
    func preview(_ operation: OperationRequest, in context: String) -> RequestPreview {
        var operation = operation
        operation.kind = Secrets.masked(operation.kind)
        return options.preview?(live.dialect(of: context), live.context(context)?.report?.engine.version, operation) ?? .none
    }

    /// The request of an open sheet, with the text typed so far.
    func preview(_ sheet: ActionSheet) -> RequestPreview {
        let operation = OperationRequest(
            id: sheet.continues?.id ?? sheet.id, kind: sheet.action.kind, job: sheet.target.key.job, expectedState: sheet.target.state,
            reason: SafeText(sheet.reason.text).string, by: author.name)
        return preview(operation, in: sheet.target.key.context)
    }
}
