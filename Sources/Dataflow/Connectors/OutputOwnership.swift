internal import CheckpointStore
internal import StreamModel

/// A job's right to write to a sink's place, from before its first attempt to its end.
public struct OutputOwnership: Sendable {
    /// Epoch, which grows with every owner of the place; 0 = the sink tracks no owners.
    public let epoch: UInt64
    private let isStillHeld: @Sendable () throws -> Void
    private let giveUp: @Sendable () -> Void

    /// - Parameters:
    ///   - check: throws `JobError.outputTaken` when another owns the place now. Called on the job's thread and on its file worker.
    ///   - release: releases the place, so that the next owner has it at once. Called once, after the last commit and before the end of the job is
    ///     reported. A process that dies does not call it; the place must be free then, too.
    public init(epoch: UInt64, check: @escaping @Sendable () throws -> Void, release: @escaping @Sendable () -> Void) {
        self.epoch = epoch
        isStillHeld = check
        giveUp = release
    }

    /// Ownership for a sink that tracks no owners.
    public static let none = OutputOwnership(epoch: 0, check: {}, release: {})

    public func check() throws(JobError) {
        do { try isStillHeld() } catch let error as JobError { throw error } catch {
            throw .sink("cannot tell whether this job still owns its output: \(error)")
        }
    }

    public func release() { giveUp() }
}

/// A request to own a sink's place.
public struct SinkClaim: Sendable {
    public let uid: String
    public let job: JobIdentity
    public let host: any EngineHost

    public init(uid: String, job: JobIdentity, host: any EngineHost) {
        self.uid = uid
        self.job = job
        self.host = host
    }
}

extension OutputOwnership {
    /// The ownership of a claimed directory.
    init(_ claim: PlaceClaim, epoch: UInt64) {
        self.init(
            epoch: epoch,
            check: {
                do throws(StoreError) { try claim.check() } catch { throw JobError.output(error) }
            }, release: { claim.release() })
    }
}

extension JobError {
    /// Error of a sink's place.
    static func output(_ error: StoreError) -> JobError {
        switch error {
        case .outputOwned: .outputOwned(error.description)
        case .outputTaken: .outputTaken(error.description)
        default: .sink(error.description)
        }
    }
}
