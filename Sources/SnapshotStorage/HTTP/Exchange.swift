internal import HostEnvironment
internal import StreamModel

/// What is asked, for the words of a failure.
struct Subject: Sendable {
    var location: StorageLocation
    var verb: StorageFailure.Verb

    func failure(_ kind: StorageFailure.Kind, status: Int? = nil, _ problem: String, remedy: String? = nil) -> StorageFailure {
        StorageFailure(kind, location, verb, status: status, problem, remedy: remedy)
    }

    func failure(_ failure: TransportFailure) -> StorageFailure { self.failure(failure.storageKind, failure.problem, remedy: failure.remedy) }
}

/// What a kind of store makes of an answer that is no success.
enum Judgement {
    case failed(StorageFailure)
    case again(RetryPolicy.Advice, StorageFailure)
    /// Credentials that may be renewed: once more with others.
    case renew(StorageFailure)
}

/// A dialect of HTTP: how its requests are authorised, and how its errors read.
protocol StorageDialect: Sendable {
    /// Adds who we are. Throws what says that it cannot be told.
    func authorize(_ request: inout WireRequest, _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure)
    func judge(_ answer: CollectedAnswer, _ request: WireRequest, _ subject: Subject) -> Judgement
    /// Forgets credentials that the store did not take; false = there are no others to be had.
    func renew() -> Bool
}

/// Asks, waits out throttling, tries again what may pass, and keeps to the deadline and to the number of requests in flight.
struct Exchange: Sendable {
    var transport: any StorageTransport
    var flights: FlightLimit
    var dialect: any StorageDialect
    var policy = RetryPolicy()
    var notify: @Sendable (StorageNotice) -> Void
    var pause: @Sendable (Milliseconds) -> Void = { HostEnvironment.pause(milliseconds: Int32(clamping: $0.count)) }
    var draw: @Sendable () -> Double = { Double.random(in: 0..<1) }

    /// Of an error only the beginning is of use.
    static let errorBodyMax = 64 << 10

    /// A whole answer whose status is one of `accepted` (2xx unless told otherwise).
    func collect(
        _ request: WireRequest, _ subject: Subject, limit: Int, accepting accepted: (Int) -> Bool = { (200..<300).contains($0) }, by deadline: EngineInstant
    ) throws(StorageFailure) -> CollectedAnswer {
        var failures = 0
        while true {
            let flight = try open(request, subject, accepting: accepted, by: deadline, failures: &failures)
            defer { flight.end() }
            let answer: CollectedAnswer
            do throws(TransportFailure) { answer = try CollectedAnswer(flight.answer, limit: limit, by: deadline) } catch {
                failures += 1
                flight.end()
                try rest(.tryAgain, subject.failure(error), failures: failures, asked: nil, by: deadline, isPassing: error.isPassing)
                continue
            }
            guard !answer.isCut else { throw subject.failure(.tooLarge, status: answer.status, "the answer is longer than \(limit >> 10) KiB") }
            return answer
        }
    }

    /// An answer on its way, with its place among those in flight.
    final class Flight {
        let answer: any WireAnswer
        private let flights: FlightLimit
        private var isOver = false

        init(_ answer: any WireAnswer, _ flights: FlightLimit) { (self.answer, self.flights) = (answer, flights) }

        func end() {
            guard !isOver else { return }
            isOver = true
            answer.cancel()
            flights.leave()
        }

        deinit { end() }
    }

    /// The beginning of an accepted answer. `failures` counts tries in a row, also of the caller's.
    func open(
        _ request: WireRequest, _ subject: Subject, accepting accepted: (Int) -> Bool, by deadline: EngineInstant, failures: inout Int
    ) throws(StorageFailure) -> Flight {
        var hasRenewed = false
        while true {
            var signed = request
            try dialect.authorize(&signed, subject, by: deadline)
            let judgement: Judgement, asked: Milliseconds?
            do throws(TransportFailure) {
                let flight = try start(signed, by: deadline)
                if accepted(flight.answer.status) { return flight }
                let answer = try CollectedAnswer(flight.answer, limit: Self.errorBodyMax, by: deadline)
                flight.end()
                asked = RetryPolicy.asked(answer.header("Retry-After"))
                judgement = dialect.judge(answer, signed, subject)
            } catch {
                failures += 1
                try rest(.tryAgain, subject.failure(error), failures: failures, asked: nil, by: deadline, isPassing: error.isPassing)
                continue
            }
            switch judgement {
            case .failed(let failure): throw failure
            case .renew(let failure):
                guard !hasRenewed, dialect.renew() else { throw failure }
                hasRenewed = true
            case .again(let advice, let failure):
                failures += 1
                try rest(advice, failure, failures: failures, asked: asked, by: deadline, isPassing: true)
            }
        }
    }

    private func start(_ request: WireRequest, by deadline: EngineInstant) throws(TransportFailure) -> Flight {
        guard flights.enter(by: deadline) else { throw TransportFailure(.timedOut, "other requests were in the way until the deadline") }
        do throws(TransportFailure) { return Flight(try transport.open(request, by: deadline), flights) } catch {
            flights.leave()
            throw error
        }
    }

    /// Waits before the next try, or throws the failure.
    func rest(
        _ advice: RetryPolicy.Advice, _ failure: StorageFailure, failures: Int, asked: Milliseconds?, by deadline: EngineInstant, isPassing: Bool
    ) throws(StorageFailure) {
        let left = deadline - EngineInstant.now()
        guard isPassing, let time = policy.pause(advice, failures: failures, asked: asked, left: left, draw: draw()) else { throw failure }
        if advice == .wait { notify(.throttled(path: failure.path, status: failure.status ?? 503, pause: time)) }
        pause(time)
    }
}
