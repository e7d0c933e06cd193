internal import StreamModel

/// The inputs of a subtask: one or more, each with the channels from the subtasks of the feeding vertex. The channels of all inputs are numbered
/// consecutively, so that barriers and watermarks wait for all of them.
struct InputGate {
    struct Input {
        /// Consumes the batches of the input's channels.
        let receive: (UnsafeMutableRawPointer, Int) -> Void
        /// Handles the end of data of all its channels.
        let endOfData: () throws -> Void
    }

    let channels: [any InputChannel]
    let inputOfChannel: [Int]
    let inputs: [Input]
    /// Handles the event time of the gate.
    let advance: (StreamTime) -> Void
}
