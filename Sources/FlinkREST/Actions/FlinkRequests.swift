internal import StreamModel

/// The requests of operations on a cluster. Sender and preview both take them from here, so that they cannot differ.
enum FlinkRequests {
    /// Takes a savepoint or a checkpoint, or stops with a savepoint; nil = the operation does none of these.
    static func snapshot(_ request: OperationRequest, _ version: FlinkVersion) -> FlinkEndpoint<FlinkTriggerID>? {
        let trigger = trigger(of: request.id, version)
        return switch request.kind {
        case .savepoint(let directory): .savepoint(request.job, directory: directory, trigger: trigger)
        case .stop(let drain, let directory): .stop(request.job, drain: drain, directory: directory, trigger: trigger)
        case .checkpoint: .checkpointNow(request.job, trigger: trigger)
        case .cancel, .restart, .launch, .dispose, .uploadJar, .deleteJar, .fault: nil
        }
    }

    /// Our own trigger id for the operation, so that a repeated request starts nothing new; nil = the cluster draws its own.
    static func trigger(of id: OperationID, _ version: FlinkVersion) -> FlinkTriggerID? {
        version.has(.chosenTriggerID) ? FlinkOperationNames.trigger(of: id) : nil
    }

    /// Runs a jar's program under a job id of ours, so that the job can be looked up.
    static func launch(as job: JobID, _ options: RestartOptions, jar: String, path: String?) -> FlinkLaunch {
        var launch = FlinkLaunch(jar: jar)
        launch.entryClass = options.recipe?.entryClass
        launch.arguments = options.recipe?.arguments ?? []
        launch.parallelism = options.parallelism ?? options.recipe?.parallelism
        launch.path = path
        launch.allowsUnmatchedState = options.allowsUnmatchedState
        launch.claim = options.claim == .claim ? .claim : nil
        launch.job = job
        return launch
    }

    static func upload(_ file: String) -> FlinkEndpoint<String> { .upload(jar: file, name: FlinkOperationNames.uploadName(of: file)) }
}
