import FoundationEssentials
import Testing

// Goal: the article on the checkpoint rules stays true. Method: its rows are read as text; every test that it names is looked up in the sources
// of the tests, every section of the reference that it covers is there, and every row says where its rule is held.
@Suite struct CheckpointRulesTests {
    private let article: String
    /// All test sources as one text for each suite's file: name of the file, text.
    private let sources: [String]

    private static let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    init() throws {
        article = try String(contentsOfFile: "/\(Self.root)/Sources/Dataflow/Dataflow.docc/CheckpointRules.md", encoding: .utf8)
        let folder = "/\(Self.root)/Tests"
        sources = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".swift") }.map {
            try String(contentsOfFile: folder + "/" + $0, encoding: .utf8)
        }
    }

    private var rows: [(rule: String, holders: String)] {
        article.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.drop { $0 == " " } }
            guard line.hasPrefix("|"), cells.count == 2, !cells[0].hasPrefix("---"), !cells[0].hasPrefix("Rule of") else { return nil }
            return (String(cells[0]), String(cells[1]))
        }
    }

    /// "Suite.test" in backquotes.
    private static func tests(in text: String) -> [(suite: String, test: String)] {
        text.matches(of: /`([A-Z][A-Za-z]*Tests)\.([a-z][A-Za-z]*)`/).map { (String($0.output.1), String($0.output.2)) }
    }

    private func exists(_ suite: String, _ test: String) -> Bool {
        sources.contains { text in
            text.contains("struct \(suite) ") && (text.contains("func \(test)(") || text.contains("func \(test)<"))
        }
    }

    @Test func everyNamedTestExists() {
        let named = Self.tests(in: article)
        #expect(named.count > 100, "the article names \(named.count) tests")
        for (suite, test) in named { #expect(exists(suite, test), "\(suite).\(test) is named and does not exist") }
        #expect(!exists("CheckpointRulesTests", "aTestThatNobody" + "Wrote"), "the search must be able to fail")
    }

    @Test func everyRowNamesATestOrADifference() {
        #expect(rows.count > 80, "the article has \(rows.count) rows")
        for (rule, holders) in rows {
            #expect(!Self.tests(in: holders).isEmpty || holders.contains("Difference: "), "\(rule) names neither a test nor a difference")
        }
    }

    @Test func everySectionIsCovered() {
        let sections = ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "2.1", "2.2", "2.3", "2.4", "3.1", "3.2", "3.3", "3.4", "3.5", "4.2", "4.3"]
        let found = article.split(separator: "\n").filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3).prefix { $0 != " " }) }
        #expect(found == sections)
    }
}
