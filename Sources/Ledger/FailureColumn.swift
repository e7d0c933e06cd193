internal import FoundationEssentials
internal import GRDB
internal import StreamModel

/// A checkpoint's failure in one column, as JSON.
enum FailureColumn {
    /// Of a message, this much is kept: a stack is one key away while the job runs, and no use years later.
    private static let messageMax = 1000

    static func encode(_ failure: CheckpointReport.Failure) throws -> String {
        var short = failure
        if short.message.unicodeScalars.count > messageMax {
            short.message = String(String.UnicodeScalarView(short.message.unicodeScalars.prefix(messageMax))) + "..."
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(short), as: UTF8.self)
    }

    static func decode(_ text: String) throws -> CheckpointReport.Failure {
        do { return try JSONDecoder().decode(CheckpointReport.Failure.self, from: Data(text.utf8)) } catch {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "an unreadable failure: \(error)")
        }
    }
}
