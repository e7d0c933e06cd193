internal import StreamModel

/// What part of a file an answer carries. Pure.
struct RangeAnswer: Equatable {
    /// Bytes of the body to pass over.
    var skip: Int64
    /// Bytes to hand over after them; nil = to the end of the body.
    var take: Int64?
    /// The answer does not tell its length: its end is the file's.
    var endsWithBody = false

    enum Problem: Error, Equatable {
        /// Other bytes than those that were asked for.
        case otherRange
        /// 200 without a word of which bytes they are, and a length that fits both readings.
        case ambiguous
    }

    /// "bytes 10-19/100".
    static func contentRange(_ text: String?) -> (first: Int64, last: Int64, total: Int64?)? {
        guard let text, text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/")
        let ends = parts.first?.split(separator: "-") ?? []
        guard parts.count == 2, ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]), first >= 0, last >= first, last < .max else {
            return nil
        }
        return (first, last, Int64(parts[1]))
    }

    /// Some servers (rclone) answer a range with 200 and say in `Content-Range` which bytes they are; others send the whole file.
    static func read(status: Int, contentRange: String?, contentLength: Int64?, start: Int64, count: Int64?, isRanged: Bool) throws(Problem) -> RangeAnswer {
        if let range = Self.contentRange(contentRange) {
            guard range.first <= start, range.last >= start else { throw .otherRange }
            let available = range.last - start + 1
            return RangeAnswer(skip: start - range.first, take: min(count ?? available, available))
        }
        if status == 206 {
            // A 206 that does not say which bytes is taken at its word when the length fits.
            guard isRanged, let contentLength, let count, contentLength <= count else { throw .otherRange }
            return RangeAnswer(skip: 0, take: contentLength)
        }
        if isRanged, let contentLength, let count, start > 0, contentLength <= count { throw .ambiguous }
        guard let contentLength else { return RangeAnswer(skip: start, take: count, endsWithBody: true) }
        let available = max(0, contentLength - start)
        return RangeAnswer(skip: start, take: min(count ?? available, available))
    }
}

/// Reads a range of a file over HTTP: one request where all goes well, resumed behind the last byte where the body is cut.
struct RangedRead {
    var exchange: Exchange
    var subject: Subject
    var deadline: EngineInstant
    /// The query names the range, and a body is always that range.
    var namesRangeInQuery = false
    /// The request for so many bytes from an offset on, with the ETag that they must be of.
    var request: (_ start: Int64, _ count: Int64?, _ etag: String?) -> WireRequest

    /// Reads by requests that differ from `plain` in their headers only.
    static func byHeaders(
        _ plain: WireRequest, _ exchange: Exchange, _ subject: Subject, by deadline: EngineInstant
    ) -> Self {
        Self(exchange: exchange, subject: subject, deadline: deadline) { start, count, etag in
            var request = plain
            if let header = header(start, count) { request.set("Range", header) }
            if let etag { request.set("If-Match", "\"\(etag)\"") }
            return request
        }
    }

    /// Reads without an end are asked for without a `Range`, unless they begin inside the file.
    static func header(_ start: Int64, _ count: Int64?) -> String? {
        if let count { return "bytes=\(start)-\(start.addingReportingOverflow(count - 1).partialValue)" }
        return start > 0 ? "bytes=\(start)-" : nil
    }

    func run(_ range: StorageRange, _ take: (ArraySlice<UInt8>) -> Bool) throws(StorageFailure) {
        if range.count == 0 { return }
        var progress = Progress(start: range.start, left: range.count, etag: range.etag)
        var failures = 0
        while true {
            let before = progress.start
            let asked = progress.asksWhole ? request(0, nil, progress.etag) : request(progress.start, progress.left, progress.etag)
            let flight = try exchange.open(
                asked, subject, accepting: { $0 == 200 || $0 == 206 || $0 == 416 }, by: deadline, failures: &failures)
            defer { flight.end() }
            // Behind the end there is nothing.
            if flight.answer.status == 416 {
                guard progress.start == range.start || progress.left == nil else { throw shorter(progress) }
                return
            }
            switch try hand(over: flight.answer, &progress, take) {
            case .done: return
            case .whole: progress.asksWhole = true
            case .broken(let failure):
                flight.end()
                // Each step forward earns new tries.
                failures = progress.start > before ? 1 : failures + 1
                try exchange.rest(.tryAgain, subject.failure(failure), failures: failures, asked: nil, by: deadline, isPassing: failure.isPassing)
                exchange.notify(.resumed(path: subject.location.text, at: progress.start))
            }
        }
    }

    private enum Outcome {
        case done
        /// Only the whole file says which bytes it is.
        case whole
        case broken(TransportFailure)
    }

    private struct Progress {
        var start: Int64
        var left: Int64?
        var etag: String?
        /// The store does not understand ranges.
        var asksWhole = false
    }

    private func shorter(_ progress: Progress) -> StorageFailure {
        subject.failure(.changed, "it became shorter while it was read: nothing is left at byte \(progress.start)", remedy: "try again")
    }

    private func hand(over answer: any WireAnswer, _ progress: inout Progress, _ take: (ArraySlice<UInt8>) -> Bool) throws(StorageFailure) -> Outcome {
        let isRanged = !progress.asksWhole && Self.header(progress.start, progress.left) != nil
        let part: RangeAnswer
        do throws(RangeAnswer.Problem) {
            part =
                try namesRangeInQuery
                ? RangeAnswer(skip: 0, take: progress.left)
                : RangeAnswer.read(
                    status: answer.status, contentRange: answer.header("Content-Range"), contentLength: answer.contentLength, start: progress.start,
                    count: progress.left, isRanged: isRanged)
        } catch .ambiguous { return .whole } catch {
            throw subject.failure(
                .malformed, status: answer.status, "the store answered with other bytes than those that were asked for",
                remedy: "the endpoint, or a proxy before it, does not understand ranges")
        }
        if let etag = answer.header("ETag").map(ETag.plain) {
            if let known = progress.etag, known != etag { throw subject.failure(.changed, "its content changed while it was read", remedy: "try again") }
            progress.etag = etag
        }
        var skip = part.skip, left = part.take
        do throws(TransportFailure) {
            while left != 0, let piece = try answer.next(by: deadline) {
                var bytes = piece[...]
                let passed = min(skip, Int64(bytes.count))
                skip -= passed
                bytes = bytes.dropFirst(Int(passed))
                if let limit = left {
                    bytes = bytes.prefix(Int(min(limit, Int64(bytes.count))))
                    left = limit - Int64(bytes.count)
                }
                guard !bytes.isEmpty else { continue }
                progress.start += Int64(bytes.count)
                progress.left = progress.left.map { $0 - Int64(bytes.count) }
                if !take(bytes) { return .done }
            }
        } catch {
            return .broken(error)
        }
        if left == 0 || left == nil || part.endsWithBody { return .done }
        return .broken(TransportFailure(.cut, "the answer ended \(left ?? 0) bytes too early"))
    }
}

enum ETag {
    /// Without quotes and the mark of weak ones.
    static func plain(_ text: String) -> String {
        let body = text.hasPrefix("W/") ? text.dropFirst(2) : text[...]
        return body.count >= 2 && body.hasPrefix("\"") && body.hasSuffix("\"") ? String(body.dropFirst().dropLast()) : String(body)
    }
}
