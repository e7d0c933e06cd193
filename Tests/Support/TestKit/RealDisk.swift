package import CheckpointStore

extension ForwardingFilesystem {
    /// The real disk, unless a test says otherwise.
    package var base: any Filesystem { PosixFilesystem() }
}
