internal import ControlProtocol
internal import ControlSocket
internal import EngineHost
internal import StreamModel

/// A connection of an operator to one engine process: frames out, frames in, as on the socket.
final class Session: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    enum Answer {
        case reply(ControlReply)
        case failure(ControlFailure)
        /// The link was cut, or the engine died: nobody knows whether the request came through.
        case lost
    }

    private let service: EngineService
    private let process: SimulatedProcess
    private let machine: SimulatedMachine
    private var nextNumber: Int64 = 1
    private var waiting: [Int64: SimulatedParker] = [:]
    private var answers: [Int64: [UInt8]] = [:]

    private let onReply: (ControlReply) -> Void

    /// - Parameter onReply: sees every answer at the moment when the engine gives it.
    init(_ service: EngineService, _ process: SimulatedProcess, _ machine: SimulatedMachine, onReply: @escaping (ControlReply) -> Void) {
        (self.service, self.process, self.machine, self.onReply) = (service, process, machine, onReply)
    }

    var isOpen: Bool { process.isAlive }

    /// Sends a request and waits for its answer.
    /// - Parameter patience: simulated nanoseconds.
    func ask(_ request: ControlRequest, by name: String, patience: Int64) throws -> Answer {
        guard isOpen else { return .lost }
        let number = nextNumber, parker = SimulatedParker(machine.scheduler)
        nextNumber += 1
        let frame = try ControlCodec.encode(request, id: .number(number))
        let decoded = RequestDecoder.decode(frame)
        guard decoded.id == .number(number), case .success(let received) = decoded.request, received == request else {
            throw SnapshotReading.Problem(description: "the engine reads \(String(decoding: frame, as: UTF8.self)) as \(decoded)")
        }
        waiting[number] = parker
        let peer = ControlPeer(connection: UInt64(number), level: .operator, userID: 1, groupID: 1, processID: 1, client: name)
        service.handle(received, peer: peer) { [weak self] in self?.answered(number, $0) }
        let deadline = machine.scheduler.now + patience
        while answers[number] == nil, isOpen, machine.scheduler.now < deadline {
            parker.park(until: EngineInstant(nanoseconds: deadline)) { answers[number] != nil || !isOpen }
        }
        waiting[number] = nil
        guard let frame = answers.removeValue(forKey: number) else { return .lost }
        guard case .reply(.number(number), let result) = try ControlCodec.decodeServerMessage(frame) else {
            throw SnapshotReading.Problem(description: "the answer to request \(number) is another's: \(String(decoding: frame, as: UTF8.self))")
        }
        switch result {
        case .success(let reply): return .reply(reply)
        case .failure(let failure): return .failure(failure)
        }
    }

    private func answered(_ number: Int64, _ result: Result<ControlReply, ControlFailure>) {
        // What a dead process says reaches nobody.
        guard process.isAlive else { return }
        if case .success(let reply) = result { onReply(reply) }
        guard let parker = waiting[number] else {
            machine.count(.lateAnswer)
            return
        }
        do { answers[number] = try ControlCodec.encode(result, id: .number(number)) } catch { machine.note(40, 0, "an answer that cannot be sent: \(error)") }
        parker.unpark()
    }

    /// The process has died: whoever waits is told.
    func cut() {
        for number in waiting.keys.sorted() {
            if let sleeper = waiting[number]?.sleeper { machine.scheduler.wake(sleeper) }
        }
    }
}
