// Goal: an upgrade that is on record is found by the next process as it was left, with the wish of whoever wants it aborted.
// Method: two ledgers open on one file, as two processes have them.

import Foundation
import StreamModel
import Testing

@testable import Ledger

@Suite struct LedgerUpgradesTests {
    private let path = NSTemporaryDirectory() + "weir-upgrades-\(UUID().uuidString)/ledger.sqlite"

    private func upgrade(_ id: String, at time: Int64) -> Upgrade {
        Upgrade(
            id: OperationID(id)!, job: JobID(high: 1, low: 1), jobName: "orders", by: "ana@ops", reason: "", startedAt: WallTime(milliseconds: time),
            old: JarRecipe(jar: .uploaded("a"), arguments: ["--topic", "orders"]), new: JarRecipe(jar: .uploaded("b")), directory: "file:/sp",
            allowsUnmatched: true, watch: .span(.minutes(10)), patience: .minutes(3))
    }

    @Test func `it is found as it was left`() throws {
        let mine = try Ledger.open(path: path), theirs = try Ledger.open(path: path)
        var first = upgrade("aaaa", at: 1000)
        try mine.recordUpgrade(first, context: "c1", address: "http://a:1")
        try mine.recordUpgrade(upgrade("bbbb", at: 2000), context: "c1", address: "http://a:1")
        try mine.recordUpgrade(upgrade("cccc", at: 3000), context: "c2", address: "http://b:1")
        #expect(try theirs.upgrade(first.id, address: "http://a:1") == first)
        #expect(try theirs.upgrade(first.id, address: "http://b:1") == nil, "another cluster's")
        #expect(try theirs.upgrades(address: "http://a:1", limit: 10).map(\.id.description) == ["bbbb", "aaaa"])
        #expect(try theirs.upgrades(address: "http://a:1", limit: 1).count == 1)
        first.take(.stopped(path: "/sp"), at: WallTime(milliseconds: 1500))
        try mine.recordUpgrade(first, context: "c1", address: "http://a:1")
        #expect(try theirs.upgrade(first.id, address: "http://a:1") == first)
        #expect(try theirs.upgrade(OperationID("dddd")!, address: "http://a:1") == nil)
    }

    @Test func `a job has one upgrade at a time`() throws {
        let mine = try Ledger.open(path: path), theirs = try Ledger.open(path: path)
        var first = upgrade("aaaa", at: 1000)
        #expect(try mine.beginUpgrade(first, context: "c1", address: "http://a:1") == nil)
        #expect(try theirs.beginUpgrade(upgrade("bbbb", at: 2000), context: "c1", address: "http://a:1") == first.id)
        #expect(try theirs.upgrade(OperationID("bbbb")!, address: "http://a:1") == nil)
        #expect(try theirs.beginUpgrade(upgrade("cccc", at: 2000), context: "c2", address: "http://b:1") == nil, "a job of another cluster")
        first.take(.notStopped("busy", isRunning: true), at: WallTime(milliseconds: 2500))
        try mine.recordUpgrade(first, context: "c1", address: "http://a:1")
        #expect(try theirs.beginUpgrade(upgrade("bbbb", at: 3000), context: "c1", address: "http://a:1") == nil)
    }

    @Test func `an abort stays through what its process writes, and comes too late for one that has ended`() throws {
        let mine = try Ledger.open(path: path), theirs = try Ledger.open(path: path)
        var upgrade = upgrade("aaaa", at: 1000)
        try mine.recordUpgrade(upgrade, context: "c1", address: "http://a:1")
        #expect(try theirs.abortUpgrade(upgrade.id, by: "ben@ops"))
        upgrade.take(.stopped(path: "/sp"), at: WallTime(milliseconds: 1500))
        try mine.recordUpgrade(upgrade, context: "c1", address: "http://a:1")
        #expect(try mine.upgrade(upgrade.id, address: "http://a:1")?.isAborted == true)
        // It came before the end was written down.
        for event in [Upgrade.Event.launched(JobID(high: 2, low: 2)), .proven, .watched] { upgrade.take(event, at: WallTime(milliseconds: 1600)) }
        #expect(try !mine.recordUpgrade(upgrade, context: "c1", address: "http://a:1"))
        #expect(try mine.upgrade(upgrade.id, address: "http://a:1")?.stage == .launching)
        var other = self.upgrade("bbbb", at: 2000)
        other.take(.notStopped("busy", isRunning: true), at: WallTime(milliseconds: 2500))
        try mine.recordUpgrade(other, context: "c1", address: "http://a:1")
        #expect(try !theirs.abortUpgrade(other.id, by: "ben@ops") && !theirs.abortUpgrade(OperationID("dddd")!, by: "ben@ops"))
    }

    @Test func `what cannot be read is left to the version that wrote it`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.recordUpgrade(upgrade("aaaa", at: 1000), context: "c1", address: "http://a:1")
        try execute(ledger.path, "UPDATE upgrade SET document = '{\"id\": 7}'")
        #expect(try ledger.upgrades(address: "http://a:1", limit: 10).isEmpty)
    }
}
