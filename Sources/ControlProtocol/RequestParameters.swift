internal import StreamModel

/// The `params` of an outgoing request: the flat object of the verb, as read by `RequestDecoder`.
struct RequestParameters: Encodable {
    let request: ControlRequest

    private enum Key: String, CodingKey {
        case after, versions, client, intervalMilliseconds, job, limit, checkpoint, operation, path, program, arguments, parallelism, name, from, reason
        case by, directory, expectedState, drain, retention, claim, allowUnmatched, cancelFirst, spec
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch request {
        case .hello(let versions, let client):
            try container.encode(versions, forKey: .versions)
            try container.encode(client, forKey: .client)
        case .subscribe(let interval): try container.encodeIfPresent(interval, forKey: .intervalMilliseconds)
        case .jobs, .programs: break
        case .job(let job), .exceptions(let job): try container.encode(job.text, forKey: .job)
        case .checkpoints(let job, let limit):
            try container.encode(job.text, forKey: .job)
            try container.encodeIfPresent(limit, forKey: .limit)
        case .checkpoint(let job, let checkpoint):
            try container.encode(job.text, forKey: .job)
            try container.encode(checkpoint, forKey: .checkpoint)
        case .operations(let limit), .audit(let limit): try container.encodeIfPresent(limit, forKey: .limit)
        case .log(let job, let after, let limit):
            try container.encodeIfPresent(job?.text, forKey: .job)
            try container.encodeIfPresent(after, forKey: .after)
            try container.encodeIfPresent(limit, forKey: .limit)
        case .operation(let id): try container.encode(id, forKey: .operation)
        case .inspect(let path): try container.encode(path, forKey: .path)
        case .submit(let submit): try encode(submit, into: &container)
        case .operate(let command): try encode(command, into: &container)
        }
    }

    private func encode(_ submit: SubmitRequest, into container: inout KeyedEncodingContainer<Key>) throws {
        try container.encode(submit.operation, forKey: .operation)
        try container.encode(submit.program, forKey: .program)
        try container.encode(submit.arguments, forKey: .arguments)
        try container.encodeIfPresent(submit.parallelism, forKey: .parallelism)
        try container.encodeIfPresent(submit.name, forKey: .name)
        try container.encode(submit.reason, forKey: .reason)
        try container.encode(submit.by, forKey: .by)
        guard let from = submit.from else { return }
        var nested = container.nestedContainer(keyedBy: Key.self, forKey: .from)
        try nested.encodeIfPresent(from.path, forKey: .path)
        try nested.encode(from.claim, forKey: .claim)
        try nested.encode(from.allowsUnmatchedState, forKey: .allowUnmatched)
    }

    private func encode(_ command: JobCommand, into container: inout KeyedEncodingContainer<Key>) throws {
        try container.encode(command.operation, forKey: .operation)
        try container.encode(command.job.text, forKey: .job)
        try container.encodeIfPresent(command.expectedState, forKey: .expectedState)
        try container.encode(command.reason, forKey: .reason)
        try container.encode(command.by, forKey: .by)
        switch command.action {
        case .savepoint(let directory): try container.encodeIfPresent(directory, forKey: .directory)
        case .checkpoint: break
        case .stop(let drain, let directory):
            try container.encode(drain, forKey: .drain)
            try container.encodeIfPresent(directory, forKey: .directory)
        case .cancel(let retention): try container.encode(retention, forKey: .retention)
        case .restart(let options), .launch(let options):
            try container.encodeIfPresent(options.path, forKey: .from)
            try container.encode(options.claim, forKey: .claim)
            try container.encode(options.allowsUnmatchedState, forKey: .allowUnmatched)
            try container.encodeIfPresent(options.parallelism, forKey: .parallelism)
            try container.encode(options.cancelsFirst, forKey: .cancelFirst)
        case .dispose(let path), .uploadJar(let path), .deleteJar(let path): try container.encode(path, forKey: .path)
        case .fault(let spec): try container.encode(spec, forKey: .spec)
        }
    }
}
