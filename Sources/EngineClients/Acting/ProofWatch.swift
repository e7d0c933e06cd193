internal import ControlProtocol
public import HostEnvironment
public import StreamModel

/// Watches a restart until it is proven or has failed, and reports each step. The verdict is `RestartProof`'s.
public struct ProofWatch {
    public private(set) var proof: RestartProof
    private var told: [RestartProof.Step: RestartProof.StepState] = [:]
    private let say: (String) -> Void
    /// The verdict is on record.
    private var isNoted = false

    /// - Parameters:
    ///   - restart: the operation as the engine accepted it.
    ///   - chosen: number of the chosen checkpoint; nil = as the engine says.
    public init(_ restart: OperationReport, chosen: CheckpointID? = nil, say: @escaping (String) -> Void) {
        let options = restart.request.kind.launch ?? RestartOptions()
        proof = RestartProof(
            chosenID: chosen ?? restart.checkpoint, chosenPath: options.path ?? restart.path ?? "", origin: restart.request.job,
            allowsUnmatchedState: options.allowsUnmatchedState)
        self.say = say
    }

    /// - Parameter isEnough: what to wait for beyond a settled proof.
    public mutating func follow(
        _ operation: OperationID, on link: some ActingLink, before deadline: Deadline, isEnough: (JobReport) -> Bool = { _ in true }
    ) throws(ClientFailure) -> JobReport? {
        var last: JobReport?
        let watched: JobReport?? = try link.follow(operation, before: deadline) { report -> JobReport?? in
            if let found = report.operations.first(where: { $0.request.id == operation }) { proof.observe(found) }
            for job in report.jobs {
                proof.observe(job, at: report.at)
                if job.id == proof.newJob { last = job }
            }
            proof.observe(runs: report.jobs)
            tell()
            if proof.verdict.isProven, !isNoted {
                isNoted = true
                link.note(proof.verdict, of: operation)
            }
            guard proof.verdict.isProven else { return proof.isSettled ? .some(last) : nil }
            // The verdict is on record, and the job was replaced before this client saw it: there is nothing more to wait for.
            guard let last else { return .some(nil) }
            // Outputs are seen only once records have come through; of a job that has ended, none will.
            let isCounted = last.audit == nil || last.state.isTerminal || proof[.outputs].state == .done || proof[.progress].state == .unproven
            return isCounted && isEnough(last) ? .some(last) : nil
        }
        return watched ?? last
    }

    private mutating func tell() {
        for step in RestartProof.Step.allCases {
            let line = proof[step]
            guard line.state != .waiting, told[step] != line.state else { continue }
            told[step] = line.state
            say(Self.text(line))
        }
    }

    /// The verdict, then one line a step.
    public var summary: [String] {
        let words = proof.verdict == .caughtUp ? "\(RestartProof.Verdict.resumedDurable.rawValue), CAUGHT UP: \(proof.caughtUp ?? "")" : proof.verdict.rawValue
        let other = proof.secondCopy.map { ["[!!] a second copy runs: job \($0) has the same name"] } ?? []
        return ["VERDICT \(words)"] + other + proof.lines.map(Self.text)
    }

    private static func text(_ line: RestartProof.Line) -> String {
        let mark =
            switch line.state {
            case .done: "ok"
            case .failed: "FAILED"
            case .unproven: "unproven"
            case .waiting: "waiting"
            }
        let name =
            switch line.step {
            case .launched: "launched"
            case .restored: "restored"
            case .tasks: "tasks"
            case .firstCheckpoint: "first checkpoint"
            case .progress: "progress"
            case .outputs: "outputs"
            }
        return "[\(mark)] \(line.step.rawValue) \(name): \(line.evidence)"
    }

    public var status: ExitStatus {
        switch proof.verdict {
        case .resumedDurable, .caughtUp: .ok
        case .mismatch, .failed: .failed
        case .waiting, .launched, .resumed: .unproven
        }
    }
}

/// A proof as `--json` prints it.
public struct ProofRecord: Encodable {
    public struct Step: Encodable {
        public var step: Int
        public var state: RestartProof.StepState
        public var evidence: String
    }
    public var verdict: RestartProof.Verdict
    /// What showed that the job has caught up, if that was seen.
    public var caughtUp: String?
    public var chosenPath: String
    public var newJob: JobID?
    /// Another live job of the new one's name.
    public var secondCopy: JobID?
    public var steps: [Step]
    public var operation: OperationReport

    public init(_ proof: RestartProof, operation: OperationReport) {
        verdict = proof.verdict
        caughtUp = proof.caughtUp
        chosenPath = proof.chosenPath
        newJob = proof.newJob
        secondCopy = proof.secondCopy
        steps = proof.lines.map { Step(step: $0.step.rawValue, state: $0.state, evidence: $0.evidence) }
        self.operation = operation
    }
}
