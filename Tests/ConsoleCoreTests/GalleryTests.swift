import CellGrid
import FoundationEssentials
import Testing

@testable import ConsoleCore

/// The article about themes shows each of them on the same screen. These hold the images to the screens that the console paints, and the article to
/// the themes that ship. The images are drawn anew with the golden screens.
extension GoldenScreenTests {
    private static let catalogue = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/ConsoleApp/ConsoleApp.docc")

    private static func image(_ theme: Theme) throws -> String {
        let size = Size(columns: 80, rows: 24)
        var console = try #require(Scene.all.first { $0.name == "job-ailing" }).console(size)
        console.model.options.theme = theme
        let styles = theme.styleSheet(depth: theme.name == "base" ? .none : .colors256)
        return FrameText.svg(console.frame(size), styles, ground: theme.variant == .light ? .light : .dark, title: "theme \(theme.name)")
    }

    @Test(arguments: Theme.builtinNames) func theImageIsTheScreenThatTheConsolePaints(_ name: String) throws {
        let file = Self.catalogue.appendingPathComponent("theme-\(name).svg")
        let drawn = try Self.image(#require(Theme.builtin(name)))
        if Golden.isRecording { return try drawn.write(to: file, atomically: true, encoding: .utf8) }
        #expect(try String(contentsOf: file, encoding: .utf8) == drawn, "theme-\(name).svg is out of date")
    }

    @Test func theArticleShowsAllThemesAndNoOthers() throws {
        let article = try String(contentsOf: Self.catalogue.appendingPathComponent("Themes.md"), encoding: .utf8)
        let shown = article.matches(of: /!\[[^\]]*\]\(theme-([a-z0-9-]+)\.svg\)/).map { String($0.output.1) }
        #expect(shown.sorted() == Theme.builtinNames)
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.catalogue.path).filter { $0.hasSuffix(".svg") }
        #expect(files.sorted() == Theme.builtinNames.map { "theme-\($0).svg" }.sorted())
        // Every role that a theme can colour is named, so that nobody has to read the source.
        for role in StyleRole.allCases { #expect(article.contains("`\(role.name)`"), "\(role.name) is not in the article") }
    }
}
