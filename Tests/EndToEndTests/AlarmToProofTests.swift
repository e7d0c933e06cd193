// Goal: from the alarm of a full failure budget to the proof that the job resumed, an operator needs few keys and little time, and the guard of
// production costs what it must and no more. Method: the real engine, injected failures, and a counted hand on the keyboard in tmux.

import Foundation
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct AlarmToProof {
        let home = TestHome()

        /// Keys are counted as they are pressed, those that had to be pressed again too.
        private final class Hand {
            let terminal: TmuxSession
            var keys = 0
            // The pace of an operator is part of what is measured: keys that come faster count as pasted, and a sheet takes none in its first moments.
            private static let typing = 0.16, reading = 0.5

            init(_ terminal: TmuxSession) { self.terminal = terminal }

            func press(_ key: String, for what: String, until condition: (TmuxSession.Screen) throws -> Bool) throws {
                try terminal.press(
                    for: what,
                    {
                        keys += 1
                        try key.count == 1 ? terminal.type(key) : terminal.press(key)
                    }, until: condition)
            }

            func type(_ text: String, for what: String, until condition: (TmuxSession.Screen) throws -> Bool) throws {
                for key in text {
                    keys += 1
                    try terminal.type(String(key))
                    Thread.sleep(forTimeInterval: Self.typing)
                }
                try terminal.wait(for: what, condition)
            }

            func tab() throws {
                keys += 1
                try terminal.press("Tab")
                Thread.sleep(forTimeInterval: Self.typing)
            }

            func read() { Thread.sleep(forTimeInterval: Self.reading) }
        }

        @Test(arguments: [("lab", 7, 15.0), ("prod", 30, 25.0)]) func `a full budget is answered by a restart that is proven`(
            contextClass: String, keysMax: Int, secondsMax: Double
        ) throws {
            home.write(home.configuration, "[contexts.live]\nsocket = \"\(home.socket)\"\nclass = \"\(contextClass)\"\n")
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "shaky", "--set", "interval=1s")
            let hand = Hand(try TmuxSession(home, [try #require(Binaries.weir), "console", "--context", "live"]))
            try hand.terminal.wait(for: "a checkpoint of shaky") { $0.contains("shaky") && $0.contains("RUNNING") && $0.contains("0/3") }
            try home.succeed("fault", "shaky", "fail 3")
            try hand.terminal.waitFor("3/3 tolerated failures used")
            let alarm = monotonicSeconds()

            if contextClass == "prod" {
                try hand.type(":unlock", for: "the command") { $0.contains(":unlock") }
                try hand.press("Enter", for: "the context to be unlocked") { $0.contains("is unlocked") }
            }
            try hand.press("R", for: "the chooser") { $0.contains("restart from: 1 choose") }
            try hand.press("Enter", for: "the options") { $0.lines.contains { $0.hasPrefix(">") && $0.contains("claim mode") } }
            try hand.press("Enter", for: "the sheet") { $0.contains("RESTART FROM A CHECKPOINT") }
            hand.read()
            if contextClass == "prod" {
                try hand.type("shaky", for: "the name") { $0.lines.contains { $0.contains("job name    shaky") } }
                try hand.tab()
                try hand.type("alarm", for: "the reason") { $0.lines.contains { $0.contains("reason      alarm") } }
                try hand.press("Enter", for: "the window to take it back") { !$0.contains("Enter sends it") }
            } else {
                try hand.press("y", for: "the sheet to be accepted") { !$0.contains("RESTART FROM A CHECKPOINT") }
            }
            try hand.terminal.wait(40, for: "the verdict") { $0.contains("RESUMED+DURABLE") || $0.contains("CAUGHT UP") }
            let seconds = monotonicSeconds() - alarm
            print("alarm to proof, \(contextClass): \(String(format: "%.1f", seconds)) s, \(hand.keys) keys")
            #expect(hand.keys <= keysMax && seconds <= secondsMax, "\(seconds) s, \(hand.keys) keys")
        }
    }
}
