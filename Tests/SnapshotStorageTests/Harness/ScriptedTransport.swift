// A transport without a network: answers as it is told, and keeps what it was asked.

import StreamModel
import Synchronization

@testable import SnapshotStorage

final class ScriptedTransport: StorageTransport {
    struct Script: Sendable {
        var status = 200
        var headers: [String: String] = [:]
        var pieces: [[UInt8]] = []
        /// What ends the body, in place of its end.
        var failure: TransportFailure?
        /// In place of an answer.
        var refusal: TransportFailure?

        init(_ status: Int = 200, _ headers: [String: String] = [:], body: [UInt8] = [], failure: TransportFailure? = nil) {
            (self.status, self.headers, self.failure) = (status, headers, failure)
            pieces = body.isEmpty ? [] : [body]
        }

        init(_ status: Int, _ headers: [String: String] = [:], text: String) { self.init(status, headers, body: Array(text.utf8)) }

        init(refusal: TransportFailure) { self.refusal = refusal }
    }

    private let answer: @Sendable (WireRequest, Int) -> Script
    private let log = Mutex<[WireRequest]>([])

    /// - Parameter answer: to a request and its number, from 0.
    init(_ answer: @escaping @Sendable (WireRequest, Int) -> Script) { self.answer = answer }

    convenience init(_ scripts: [Script]) { self.init { _, number in scripts[min(number, scripts.count - 1)] } }

    var requests: [WireRequest] { log.withLock { $0 } }

    func open(_ request: WireRequest, by deadline: EngineInstant) throws(TransportFailure) -> any WireAnswer {
        let number = log.withLock { log in
            log.append(request)
            return log.count - 1
        }
        let script = answer(request, number)
        if let refusal = script.refusal { throw refusal }
        return Answer(script)
    }

    private final class Answer: WireAnswer {
        private let script: Script
        private let left: Mutex<[[UInt8]]>
        init(_ script: Script) {
            self.script = script
            left = Mutex(script.pieces)
        }
        var status: Int { script.status }
        func header(_ name: String) -> String? { script.headers.first { $0.key.lowercased() == name.lowercased() }?.value }
        func next(by deadline: EngineInstant) throws(TransportFailure) -> [UInt8]? {
            if let piece = left.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { return piece }
            if let failure = script.failure { throw failure }
            return nil
        }
        func cancel() {}
    }
}

/// Credentials of the tests, the same for all.
let testKeys = RenewingSource<AWSCredentials>(isFixed: true) { _ in
    .success((AWSCredentials(accessKey: "AKID", secret: Secret("sesame"), sessionToken: nil, expiresAt: nil, source: "test"), freshUntil: nil))
}

/// What an exchange told and waited for, without waiting.
final class Pauses: Sendable {
    private let log = Mutex<(notices: [StorageNotice], pauses: [Milliseconds])>(([], []))
    var notices: [StorageNotice] { log.withLock { $0.notices } }
    var pauses: [Milliseconds] { log.withLock { $0.pauses } }
    func notify(_ notice: StorageNotice) { log.withLock { $0.notices.append(notice) } }
    func pause(_ time: Milliseconds) { log.withLock { $0.pauses.append(time) } }
}

/// S3 over a scripted transport.
func scriptedS3(
    _ transport: ScriptedTransport, _ pauses: Pauses = Pauses(), region: String? = "us-east-1", endpoint: String? = "http://127.0.0.1:9000",
    keys: RenewingSource<AWSCredentials> = testKeys, now: @escaping @Sendable () -> WallTime = { WallTime(milliseconds: 1_440_938_160_000) },
    flights: FlightLimit = FlightLimit()
) -> S3Storage {
    let settings = S3Settings(
        endpoint: endpoint.flatMap { StorageEndpoint($0) }, region: region ?? "us-east-1", regionIsGuess: region == nil, pathStyle: nil)
    let dialect = S3Dialect(settings, .keys(keys), now: now)
    return S3Storage(
        dialect: dialect,
        exchange: Exchange(transport: transport, flights: flights, dialect: dialect, notify: { pauses.notify($0) }, pause: { pauses.pause($0) }, draw: { 1 }))
}
