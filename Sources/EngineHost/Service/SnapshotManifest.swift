package import CheckpointStore
internal import ControlProtocol
internal import HostEnvironment
internal import StreamModel

/// Reads only a snapshot's manifest: its kind and job, without its state. Launching verifies the rest.
package enum SnapshotManifest {
    package struct Found: Sendable {
        /// The snapshot's directory, absolute and without links, as reported by the engine.
        package var path: String
        package var manifest: CheckpointManifest
    }

    package static func read(at path: String, filesystem: any Filesystem) -> Result<Found, StoreError> {
        Result { () throws(StoreError) in
            var directory: String
            do throws(FilesystemError) {
                directory = try filesystem.canonicalPath(path)
                if directory.hasSuffix("/_metadata"), try filesystem.status(directory)?.kind == .file {
                    directory = String(directory.dropLast("/_metadata".count))
                }
            } catch {
                // 2 is ENOENT, 20 ENOTDIR: no such entry.
                if error.errno == 2 || error.errno == 20 { throw .notFound(path: path) }
                throw .inputOutput(path: path, operation: error.operation, errno: error.errno)
            }
            let manifestPath = directory + "/_metadata"
            guard let bytes = try DurableFile.read(path: manifestPath, maximum: 1 << 30, filesystem: filesystem) else { throw .noManifest(path: directory) }
            return Found(path: directory, manifest: try ManifestCodec.decode(bytes, path: manifestPath))
        }
    }
}
