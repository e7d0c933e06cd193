public import StreamModel

/// The remembered jars of a cluster, so that no file is uploaded twice. Called on the operation's thread; may do disk work.
public struct JarMemory: Sendable {
    /// The ids under which the cluster got a file of this content, the newest first.
    public var ids: @Sendable (_ content: FileDigest) -> [String]
    /// The cluster has this content under this id.
    public var learn: @Sendable (_ id: String, _ content: FileDigest) -> Void

    public init(ids: @escaping @Sendable (FileDigest) -> [String], learn: @escaping @Sendable (String, FileDigest) -> Void) {
        self.ids = ids
        self.learn = learn
    }

    /// Remembers nothing: every file is sent.
    public static let none = JarMemory(ids: { _ in [] }, learn: { _, _ in })
}

/// A jar on the cluster with the content of a file, and how it got there.
struct PlacedJar {
    var id: String
    var isReused: Bool

    /// For whoever looks at the operation.
    var words: String { isReused ? "\(id), used again: the cluster has a jar of this name and content" : "\(id), uploaded" }
}

extension JarMemory {
    /// Finds the content of a file on the cluster, or uploads it. Names count: a jar is called what its file is called.
    func place(_ path: String, on client: FlinkClient) throws(FlinkFailure) -> PlacedJar {
        let name = FlinkOperationNames.uploadName(of: path)
        let content = try FileDigest(of: path)
        let known = Set(ids(content))
        if !known.isEmpty, let jar = try client.answer(to: .jars).first(where: { known.contains($0.id) && $0.name == name }) {
            return PlacedJar(id: jar.id, isReused: true)
        }
        let id = try client.answer(to: .upload(jar: path, name: name))
        // What was replaced while it was sent is not known well enough to be used again.
        if try FileDigest(of: path) == content { learn(id, content) }
        return PlacedJar(id: id, isReused: false)
    }
}

extension JarMemory {
    /// The id of a recipe's jar on the cluster, and how it came there.
    func place(_ jar: JarRecipe.Jar, on client: FlinkClient) throws(FlinkFailure) -> (id: String, words: String) {
        switch jar {
        case .file(let path):
            let placed = try place(path, on: client)
            return (placed.id, placed.words)
        case .uploaded(let id):
            guard try client.answer(to: .jars).contains(where: { $0.id == id }) else {
                throw FlinkFailure(.notFound, "the jar \(id) is not on the cluster any more: give its file")
            }
            return (id, id)
        }
    }

    /// The recipe with its jar on the cluster. Blocks.
    public func placed(_ recipe: JarRecipe, on client: FlinkClient) throws(FlinkFailure) -> JarRecipe {
        var placed = recipe
        placed.jar = .uploaded(try place(recipe.jar, on: client).id)
        return placed
    }
}
