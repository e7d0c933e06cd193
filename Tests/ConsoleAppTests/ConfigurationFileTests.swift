// Goal: a configuration is taken as a whole or left out as a whole, with the line to blame. Method: texts and files.

import CellGrid
import ConsoleCore
import FoundationEssentials
import Glibc
import Ledger
import StreamModel
import TestKit
import Testing

@testable import ConsoleApp
@testable import EngineClients
@testable import CommandLineApp
@testable import HostEnvironment
import FlinkREST

@Suite struct ConfigurationFileTests {
    let home = ConsoleHome()

    @Test func `all keys are read`() throws {
        let file = try ConfigurationFile.parse(
            """
            theme = "slate"
            ascii = true
            colors = "16"
            [contexts.lab]
            socket = "/run/lab.sock"
            class = "lab"
            [contexts."prod-eu"]
            socket = "/run/prod.sock"
            readonly = true
            """, name: "config.toml")
        #expect(file.theme == "slate" && file.usesASCII == true && file.colorDepth == .colors16)
        #expect(
            file.contexts == [
                ConsoleContext(name: "lab", class: .lab, socket: "/run/lab.sock"),
                // Without a class: as careful as can be.
                ConsoleContext(name: "prod-eu", class: .prod, socket: "/run/prod.sock", isReadOnly: true),
            ])
    }

    @Test func `the sample of the article is a configuration without a mistake`() throws {
        let root = String(#filePath[..<(try #require(#filePath.firstRange(of: "/Tests/ConsoleAppTests/")).lowerBound)])
        let article = String(decoding: readFile(root + "/Sources/ConsoleApp/ConsoleApp.docc/Commands.md"), as: UTF8.self)
        let start = try #require(article.firstRange(of: "```toml\n")).upperBound
        let end = try #require(article[start...].firstRange(of: "```")).lowerBound
        let file = try ConfigurationFile.parse(String(article[start..<end]), name: "Commands.md")
        #expect(file.usesUTC && file.contexts.map(\.name) == ["lab", "prod-eu"] && file.contexts.map(\.class) == [.lab, .prod])
    }

    @Test func `a cluster may have several JobManagers`() throws {
        let file = try ConfigurationFile.parse(
            "[contexts.ha]\nurls = [\"http://jm1:8081\", \"http://jm2:8081/x\", \"http://jm3\"]\nclass = \"staging\"", name: "config.toml")
        guard case .flink(let connection)? = file.contexts.first?.address else { return #expect(Bool(false), "\(file.problems)") }
        #expect(connection.address.description.contains("jm1:8081") && connection.alternatives.map(\.host) == ["jm2", "jm3"])
        // The ledger knows the cluster by its first address.
        #expect(file.contexts.first?.address.text.contains("jm1") == true)
    }

    @Test(arguments: [
        ("urls = []", "names no JobManager"), ("urls = [\"http://a\"]\nurl = \"http://b\"", "both urls and url"),
        ("urls = [\"http://a\", \"https://b\"]", "all begin with"), ("urls = [\"http://a\", \"b:8081\"]", "has no scheme"),
        ("urls = [\"http://a\", 7]", "must be a text"), ("urls = [\"http://a\"]\nowner = \"root\"", "owner is for a socket"),
        ("urls = [\"https://a\", \"https://b\"]\ntls = { server_name = \"c\" }", "server_name is for one url"),
    ])
    func `urls that are no cluster are refused`(lines: String, words: String) {
        let file = ConfigurationFile.read("[contexts.ha]\n\(lines)", name: "config.toml")
        #expect(file.problems.first?.description.contains(words) == true, "\(file.problems)")
    }

    @Test func `one cluster under two classes is noticed by any of its addresses`() {
        let file = ConfigurationFile.read(
            "[contexts.a]\nurls = [\"http://jm1\", \"http://jm2\"]\nclass = \"prod\"\n[contexts.b]\nurl = \"http://jm2\"\nclass = \"lab\"", name: "config.toml")
        #expect(file.contexts.allSatisfy { $0.isReadOnly } && file.problems.first?.description.contains("are the same engine") == true, "\(file.problems)")
    }

    @Test func `the ledger has a place and bounds`() throws {
        let file = try ConfigurationFile.parse("[ledger]\npath = \"/var/l.sqlite\"\ndays = 7\naction_days = 30\nsize_mb = 5", name: "c")
        #expect(file.ledger.path == "/var/l.sqlite" && file.ledger.limits == LedgerLimits(days: 7, actionDays: 30, size: ByteCount(5 << 20)))
        #expect(try ConfigurationFile.parse("", name: "c").ledger == LedgerSettings())
        for (line, words) in [
            ("days = 0", "days must be a number from 1 to 36500"), ("size_mb = \"5\"", "size_mb must be a number"), ("path = \"l.sqlite\"", "absolute"),
            ("weeks = 1", "unknown key"),
        ] {
            let error = #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse("[ledger]\n\(line)", name: "c") }
            #expect(error?.line == 2 && error?.problem.contains(words) == true, "\(error?.description ?? line)")
        }
    }

    @Test func `a Flink cluster is named with its TLS, headers and the places of its secrets`() throws {
        let file = try ConfigurationFile.parse(
            """
            [contexts.flink]
            url = "https://flink.example.org:8443/prefix/"
            class = "staging"
            guard = "prod"
            accent = "#ff8800"
            token_file = "/run/token"
            tls.ca = "/etc/ca.pem"
            tls.certificate = "/c.pem"
            tls.key = "/c.key"
            tls.server_name = "flink.internal"
            [contexts.flink.headers]
            X-Team = "ops"
            X-Key = "env:TEAM_KEY"
            """, name: "config.toml")
        let connection = FlinkConnection(
            try FlinkAddress("https://flink.example.org:8443/prefix"),
            headers: [try FlinkHeader(name: "X-Key", value: .environment("TEAM_KEY")), try FlinkHeader(name: "X-Team", value: .literal("ops"))],
            token: .file("/run/token"), authorityFile: "/etc/ca.pem", clientCertificate: .init(chainFile: "/c.pem", keyFile: "/c.key"),
            serverName: "flink.internal")
        #expect(
            file.contexts == [
                ConsoleContext(name: "flink", class: .staging, address: .flink(connection), guardClass: .prod, accent: "#ff8800")
            ])
    }

    @Test func `a context that is typed is held to the rules of the file`() throws {
        let lab = ConsoleContext(name: "lab", class: .lab, socket: "/run/lab.sock")
        func added(_ name: String, _ address: String, _ word: String? = nil) throws -> ConsoleContext {
            try ConfigurationFile.context(named: name, at: address, class: word, beside: [lab])
        }
        #expect(try added("eu", "/run/eu.sock", "staging") == ConsoleContext(name: "eu", class: .staging, socket: "/run/eu.sock"))
        // Without a class: as careful as can be.
        let cluster = try added("jm", "http://jm:8081/prefix")
        #expect(cluster.class == .prod && cluster.address.text == "http://jm:8081/prefix")
        for (name, address, word, problem) in [
            ("a b", "/run/x", nil, "no name for a context"), ("eu", "run/x", nil, "socket = \"/absolute/path\""), ("eu", "http://", nil, "has no host name"),
            ("eu", "http://u:p@h", nil, "no user and no password"), ("eu", "/run/x", "production", "class must be one of"),
            ("eu", "/run/lab.sock", "prod", "lab is the same engine, as lab"), ("eu", "/run/\"\nreadonly = false", nil, "quotes"),
            ("x\"]\n[keys", "/run/x", nil, "quotes"),
        ] as [(String, String, String?, String)] {
            let error = #expect(throws: ConfigurationError.self) { try added(name, address, word) }
            #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
        }
    }

    @Test func `alerts are on by the bell and off by OSC 9 where nothing is said`() throws {
        #expect(try ConfigurationFile.parse("", name: "c").alerts == AlertOptions(rings: true, notifies: false))
        #expect(try ConfigurationFile.parse("[alerts]\nbell = false\nosc9 = true\n", name: "c").alerts == AlertOptions(rings: false, notifies: true))
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse("[alerts]\nbel = true\n", name: "c") }
        #expect(error?.description.contains("c:2:1: unknown key \"bel\" in [alerts]; there are bell, osc9") == true)
    }

    @Test func `the limits of conditions are those of the file, else those of the article`() throws {
        let file = try ConfigurationFile.parse("[diagnosis]\ncrash_loop_failures = 5\nsource_silence_s = 60\nlate_percent = 50\n", name: "c")
        var limits = DiagnosisThresholds()
        (limits.crashLoopFailures, limits.sourceSilence, limits.latePermille) = (5, .seconds(60), 500)
        #expect(file.thresholds == limits)
        for wrong in ["hot_key = 1", "late_percent = 101", "crash_loop_failures = \"3\""] {
            #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse("[diagnosis]\n\(wrong)\n", name: "c") }
        }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let article = try String(contentsOf: root.appendingPathComponent("Sources/ConsoleApp/ConsoleApp.docc/Conditions.md"), encoding: .utf8)
        let block = try #require(article.firstMatch(of: /```toml\n([\s\S]*?)```/)).output.1
        #expect(try ConfigurationFile.parse(String(block), name: "c").thresholds == DiagnosisThresholds())
        #expect(block.split(separator: "\n").count == 14, "the article names every key")
    }

    @Test func `columns are hidden, and one that stays is told with those that can go`() throws {
        let file = try ConfigurationFile.parse("[overview]\nhide = [\"link\", \"in\"]\n", name: "c")
        #expect(file.hiddenColumns == [.link, .rate])
        #expect(try ConfigurationFile.parse("[overview]\nhide = \"condition\"\n", name: "c").hiddenColumns == [.condition])
        #expect(try ConfigurationFile.parse("[overview]\n", name: "c").hiddenColumns.isEmpty)
        let wrong = ConfigurationFile.read("theme = \"slate\"\n[overview]\nhide = [\"state\"]\n", name: "config.toml")
        #expect(wrong.hiddenColumns.isEmpty && wrong.theme == "slate", "the rest of the file holds")
        let problem = try #require(wrong.problems.first?.description)
        for part in ["config.toml:3", "\"state\" is no column that can be hidden", "context, link, report, in", "all columns are shown"] {
            #expect(problem.contains(part), "\(problem)")
        }
    }

    @Test func `keys are remapped, and everything else of the file holds`() throws {
        let file = try ConfigurationFile.parse(
            "theme = \"slate\"\n[keys]\nsavepoint = \"W\"\nmove_down = [\"j\", \"ctrl-n\"]\nmouse = []\n", name: "config.toml")
        #expect(file.problems.isEmpty && file.theme == "slate")
        #expect(file.keyMap[.character("W")] == .savepoint && file.keyMap.keys(.moveDown) == [.character("j"), .control("n")])
        #expect(file.keyMap.keys(.mouse).isEmpty)
    }

    @Test(
        arguments: [
            ("[keys]\nhelp = \"H\"\nsavepoint = \"q\"\n", 3, 1, "the key q is bound to savepoint and to quit"),
            ("[keys]\n  savepoint = \"ctrl-s\"\n", 2, 3, "stops the output"),
            ("[keys]\nstop = \"f4\"\n", 2, 1, "acts on a job"),
            ("keys.stopp = \"H\"\n", 1, 1, "no command \"stopp\""),
            ("\n[keys]\nhelp = 1\n", 3, 1, "must be a text, or texts in [ ]"),
            ("keys = \"vi\"\n", 1, 1, "must be a table"),
            ("[keys]\nhelp = [\"hh\"]\n", 2, 1, "\"hh\" is not a key"),
        ] as [(String, Int, Int, String)])
    func `keys that cannot be are told with their line, and the standard ones hold`(text: String, line: Int, column: Int, problem: String) throws {
        let file = ConfigurationFile.read(text + "[contexts.lab]\nsocket = \"/x\"\nclass = \"lab\"\n", name: "config.toml")
        #expect(file.keyMap == .standard && file.contexts.map(\.name) == ["lab"])
        let error = try #require(file.problems.first)
        #expect(error.line == line && error.column == column && error.description.contains(problem), "\(error)")
        #expect(error.description.hasSuffix("all keys are the standard ones"))
    }

    @Test(
        arguments: [
            ("[contexts.a]\nsocket = \"/x\"\nurl = \"http://h\"\n", 3, 1, "both socket and url"),
            ("[contexts.a]\n  url = \"flink:8081\"\n", 2, 3, "has no scheme"),
            ("[contexts.a]\nurl = \"http://ana:secret@h\"\n", 2, 1, "no user and no password"),
            ("[contexts.a]\nurl = \"http://h:99999\"\n", 2, 1, "has no port"),
            ("[contexts.a]\nurl = \"http://h?x=1\"\n", 2, 1, "has a '?' or '#'"),
            ("[contexts.a]\nurl = \"http:///x\"\n", 2, 1, "has no host name"),
            ("[contexts.a]\nurl = \"http://h\"\ntls.ca = \"/x\"\n", 3, 1, "begins with https"),
            ("[contexts.a]\nurl = \"https://h\"\n[contexts.a.tls]\nkey = \"/x\"\n", 4, 1, "go together"),
            ("[contexts.a]\nurl = \"https://h\"\ntls = { ca = \"x\" }\n", 3, 1, "absolute path"),
            ("[contexts.a]\nurl = \"http://h\"\ntoken_env = \"abc.def-ghi\"\n", 3, 1, "names an environment variable"),
            ("[contexts.a]\nurl = \"http://h\"\ntoken_env = \"T\"\ntoken_file = \"/t\"\n", 3, 1, "exclude each other"),
            ("[contexts.a]\nsocket = \"/x\"\ntoken_env = \"T\"\n", 3, 1, "a socket has no use"),
            ("[contexts.a]\nurl = \"http://h\"\ntoken_env = \"T\"\nheaders.Authorization = \"x\"\n", 4, 1, "exclude each other"),
            ("[contexts.a]\nsocket = \"/x\"\nguard = \"lab\"\n", 3, 1, "laxer than class"),
            ("[contexts.a]\nsocket = \"/x\"\naccent = \"pinkish\"\n", 3, 1, "accent must be"),
            ("[contexts.\"a b\"]\nsocket = \"/x\"\n", nil, nil, "no name for a context"),
            ("[contexts.a]\nsocket = \"/x\"\nclass = \"lab\"\n[contexts.b]\nsocket = \"/x\"\n", 4, 1, "a and b are the same engine"),
            ("theme = \"a\"\ntheme = \"b\"\n", 2, 9, "not TOML"),
            ("[contexts.a]\nsocket = \"/x\"\n[contexts.a]\nsocket = \"/y\"\n", 3, 1, "not TOML"),
        ] as [(String, Int?, Int?, String)])
    func `a conflict is reported with line and column`(text: String, line: Int?, column: Int?, problem: String) {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse(text, name: "config.toml") }
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
        if let line { #expect(error?.line == line && error?.column == column, "\(String(describing: error))") }
        #expect(error?.description.contains("secret") == false, "no password is repeated")
    }

    @Test func `a secret is read where it is, its first line only, and its absence is told without its text`() throws {
        writeFile(home.path + "/token", "abc123\nrest\n")
        #expect(try FlinkSecret.file(home.path + "/token").reveal() == "abc123")
        #expect(try FlinkSecret("plain").reveal() == "plain")
        for (source, problem) in [
            (FlinkSecret.file(home.path + "/none"), "No such file"), (.environment("WEIR_TEST_UNSET"), "not set"),
            (.literal("a\r\nX: y"), "control characters"),
        ] as [(FlinkSecret, String)] {
            let error = #expect(throws: FlinkFailure.self) { try source.reveal() }
            #expect(error?.description.contains(problem) == true)
        }
    }

    @Test func `contexts are found by name, and listed without a secret`() throws {
        home.configure("[contexts.lab]\nsocket = \"/x\"\nclass = \"lab\"\n[contexts.f]\nurl = \"http://h:1\"\nheaders.X-K = \"s3cret\"\n")
        let path = home.path + "/config/weir/config.toml"
        #expect(try Contexts.named("lab", configurationPath: path).class == .lab)
        let missing = #expect(throws: Contexts.Failure.self) { try Contexts.named("no", configurationPath: path) }
        #expect(missing?.description.contains("there are f, lab") == true)
        let table = ContextRecord.table(Contexts.all(configurationPath: path).map(ContextRecord.init))
        #expect(table.contains("f     prod   prod   flink  acts  http://h:1\n") && !table.contains("s3cret"), "\(table)")
    }

    @Test(arguments: [
        ("theme = \"slate\"\ncolour = 1\n", 2, "unknown key \"colour\""),
        ("\n\nascii = \"yes\"\n", 3, "true or false"),
        ("colors = \"many\"\n", 1, "one of"),
        ("theme = 5\n", 1, "text in quotes"),
        ("[contexts.lab]\nsocket = \"/x\"\nclas = \"lab\"\n", 3, "unknown key \"clas\""),
        ("[contexts.lab]\nclass = \"lab\"\n", 1, "needs socket"),
        ("[contexts.lab]\nsocket = \"relative\"\n", 2, "absolute"),
        ("[contexts.lab]\nsocket = \"/x\"\nclass = \"production\"\n", 3, "\"prod\""),
        ("theme = \"slate\nascii = true\n", 1, "not TOML"),
        ("contexts = 3\n", 1, "tables"),
    ])
    func `a mistake is reported with its line`(text: String, line: Int, problem: String) {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFile.parse(text, name: "config.toml") }
        #expect(error?.line == line, "\(String(describing: error))")
        #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    }

    @Test func `a missing file is an empty one`() throws {
        #expect(ConfigurationFile.load(home.path + "/none") == ConfigurationFile())
    }

    private static let two = "[contexts.lab]\nsocket = \"/x\"\nclass = \"lab\"\n[contexts.eu]\nsocket = \"/y\"\nclass = \"prod\"\n"

    @Test func `a mistake in a context makes it read-only and leaves the others in force`() throws {
        for mistake in ["flink = \"x\"", "guard = \"lab\"", "readonly = 1", "accent = \"pinkish\"", "owner = 3"] {
            let file = ConfigurationFile.read("theme = \"slate\"\n" + Self.two + mistake + "\n", name: "c")
            #expect(file.theme == "slate" && file.contexts.map(\.name) == ["eu", "lab"] && !file.hidesContexts, "\(mistake)")
            let (broken, whole) = (file.contexts[0], file.contexts[1])
            #expect(broken.isReadOnly && broken.class == .prod && !whole.isReadOnly && whole.class == .lab && whole.problem == nil, "\(mistake)")
            #expect(
                broken.problem?.hasPrefix("c:8:1: ") == true && broken.problem?.hasSuffix("eu is read-only until this is fixed") == true,
                "\(broken.problem ?? "-")")
            #expect(file.problems.map(\.description) == [broken.problem])
        }
    }

    @Test func `one engine under two classes is read-only under both`() {
        let file = ConfigurationFile.read(
            "[contexts.a]\nsocket = \"/x\"\nclass = \"lab\"\n[contexts.b]\nsocket = \"/x\"\n[contexts.c]\nsocket = \"/z\"\n", name: "c")
        #expect(file.contexts.map(\.isReadOnly) == [true, true, false])
        #expect(file.problems.first?.description.hasSuffix("both are read-only until this is fixed") == true)
    }

    @Test func `a context without an address, and a file that is no TOML, may hide how careful to be`() throws {
        let nowhere = ConfigurationFile.read("[contexts.lab]\nsocket = \"/x\"\n[contexts.eu]\nclass = \"prod\"\n", name: "c")
        #expect(nowhere.contexts.map(\.name) == ["lab"] && nowhere.hidesContexts)
        let path = home.path + "/config.toml"
        writeFile(path, Self.two + "theme = \"slate\n")
        let broken = ConfigurationFile.load(path)
        #expect(broken.contexts.isEmpty && broken.hidesContexts && broken.problems.count == 1)
        #expect(throws: Contexts.Failure.self) { try Contexts.named("lab", configurationPath: path) }
        #expect(throws: ConfigurationError.self) { try LedgerPlace.path(configurationPath: path) }
        writeFile(path, Self.two + "readonly = 1\n")
        #expect(try Contexts.named("lab", configurationPath: path).class == .lab)
        let failure = #expect(throws: Contexts.Failure.self) { try Contexts.named("eu", configurationPath: path) }
        #expect(failure?.description.contains("readonly must be true or false") == true)
    }

    @Test func `a link, a pipe, a directory, a long file and one that is not text are refused`() {
        let path = home.path + "/odd"
        let cases: [(String, () -> Void)] = [
            ("plain file", { symlink("/etc/passwd", path) }), ("plain file", { mkfifo(path, 0o600) }), ("plain file", { mkdir(path, 0o700) }),
            ("longer than", { writeFile(path, String(repeating: "#", count: ConfigurationFile.bytesMax + 1)) }),
            ("not UTF-8", { writeFile(path, [0x61, 0xff, 0x0a]) }), ("NUL", { writeFile(path, [0x61, 0x00, 0x0a]) }),
        ]
        for (problem, make) in cases {
            make()
            let error = ConfigurationFile.load(path).problems.first
            #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
            remove(path)
        }
    }

    @Test func `every beginning of a good file is taken or refused without a trap`() {
        let text = "theme = \"slate\"\n[contexts.lab]\nsocket = \"/run/lab.sock\"\nclass = \"lab\"\n[contexts.x]\nsocket='/y'\n"
        for length in 0...text.utf8.count {
            _ = ConfigurationFile.read(String(decoding: text.utf8.prefix(length), as: UTF8.self), name: "x")
        }
    }
}

@Suite struct ThemeLibraryTests {
    let home = ConsoleHome()
    static let plain = "schema = 1\nname = \"mine\"\nvariant = \"any\"\n"

    var library: ThemeLibrary {
        ThemeLibrary(
            directories: BaseDirectories { [path = home.path] in
                ["HOME": path, "XDG_CONFIG_HOME": path + "/config", "XDG_DATA_HOME": path + "/data", "XDG_DATA_DIRS": path + "/system"][$0]
            }, executablePath: home.path + "/checkout/.build/debug/weir")
    }

    func place(_ folder: String, _ name: String, _ text: String) {
        var path = home.path
        for part in folder.split(separator: "/") {
            path += "/" + part
            mkdir(path, 0o700)
        }
        writeFile("\(path)/\(name).toml", text)
    }

    @Test func `compiled-in themes need no file`() throws {
        for name in Theme.builtinNames { #expect(try library.load(name).name == name) }
    }

    @Test func `folders are searched in order: the user's, the system's, the checkout's`() throws {
        place("checkout/themes", "mine", Self.plain.replacing("mine", with: "checkout"))
        writeFile(home.path + "/checkout/Package.swift", "")
        #expect(try library.load("mine").name == "checkout")
        place("system/weir/themes", "mine", Self.plain.replacing("mine", with: "system"))
        #expect(try library.load("mine").name == "system")
        place("data/weir/themes", "mine", Self.plain.replacing("mine", with: "data"))
        #expect(try library.load("mine").name == "data")
        place("config/weir/themes", "mine", Self.plain.replacing("mine", with: "config"))
        #expect(try library.load("mine").name == "config")
        #expect(library.names().contains("mine"))
    }

    @Test func `a path names a file anywhere`() throws {
        place("somewhere", "own", Self.plain)
        #expect(try library.load(home.path + "/somewhere/own.toml").name == "mine")
    }

    @Test func `a bad file is kept out with file, line and reason`() {
        place("config/weir/themes", "bad", "schema = 1\nname = \"bad\"\n\ncolour = \"red\"\n")
        let error = #expect(throws: ThemeError.self) { try library.load("bad") }
        #expect(error?.file == home.path + "/config/weir/themes/bad.toml" && error?.line == 4)
        #expect(error?.problem.contains("colour") == true)
    }

    @Test func `a name cannot climb out of the folders, a link is not followed, a missing one lists what there is`() {
        for name in ["..", ".hidden", ""] {
            let error = #expect(throws: ThemeError.self) { try library.load(name) }
            #expect(error?.problem.contains("base16") == true)
        }
        symlink("/etc/passwd", home.path + "/config/weir/themes/link.toml")
        let error = #expect(throws: ThemeError.self) { try library.load("link") }
        #expect(error?.problem.contains("plain file") == true)
        writeFile(home.path + "/config/weir/themes/big.toml", String(repeating: "#", count: Theme.bytesMax + 1))
        #expect(throws: ThemeError.self) { try library.load("big") }
    }
}
