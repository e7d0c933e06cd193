internal import JSON
public import StreamModel

/// What a program would run as, without launching it: the answer of `POST /jars/:id/plan`.
public struct FlinkProgramPlan: Sendable, Equatable {
    /// A chain of operators; only the one at its head has an id here. With chaining switched off every operator is a chain of its own.
    public struct Vertex: Sendable, Equatable {
        public var id: OperatorID
        /// Names of its operators, as the web interface shows them, on one line.
        public var name: String
        public var parallelism: Int

        public init(id: OperatorID, name: String, parallelism: Int) { (self.id, self.name, self.parallelism) = (id, name, parallelism) }
    }

    public var vertices: [Vertex]

    public init(_ vertices: [Vertex]) { self.vertices = vertices }

    public var ids: Set<OperatorID> { Set(vertices.map(\.id)) }

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let nodes = json["plan"]?["nodes"]?.items else { throw FlinkReadingProblem("has no 'plan.nodes'") }
        vertices = nodes.compactMap { node in
            guard let id = node["id"]?.text.flatMap({ OperatorID($0) }) else { return nil }
            return Vertex(id: id, name: Self.plain(node["description"]?.text ?? id.short), parallelism: node["parallelism"]?.smallCount ?? 0)
        }
    }

    /// A description is HTML, escaped once or twice, a line for each operator.
    private static func plain(_ description: String) -> String {
        var text = description
        // A name in angle brackets stands as text behind one more round of escapes.
        for _ in 0..<2 {
            for (escaped, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
                text = text.replacing(escaped, with: character)
            }
        }
        let lines = text.replacing("<br/>", with: "\n").split(separator: "\n").map { line in
            String(line.drop { " +-:|".contains($0) }).trimmingSpaces
        }
        return shortened(lines.filter { !$0.isEmpty }.joined(separator: " -> "), to: 300)
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = Substring(self)
        while text.last == " " || text.last == ":" { text = text.dropLast() }
        return String(text)
    }
}

extension FlinkEndpoint where Answer == FlinkProgramPlan {
    /// Runs the program's `main` on the JobManager as far as its job graph, and launches nothing.
    /// - Parameter isChained: as the program would run. Without chaining every operator is told; needs `.planConfiguration`.
    public static func plan(_ recipe: JarRecipe, jar: String, isChained: Bool) -> Self {
        var body: [String: JSONValue] = [:]
        if let name = recipe.entryClass { body["entryClass"] = .string(name) }
        if !recipe.arguments.isEmpty { body["programArgsList"] = .array(recipe.arguments.map(JSONValue.string)) }
        if let parallelism = recipe.parallelism { body["parallelism"] = .integer(Int64(parallelism)) }
        if !isChained { body["flinkConfiguration"] = .object(["pipeline.operator-chaining.enabled": .string("false")]) }
        return Self(
            .post, ["jars", FlinkPathSegment(escaping: jar), "plan"], body: .json(.object(body)), timeout: .minutes(2), read: FlinkProgramPlan.init(reading:))
    }
}
