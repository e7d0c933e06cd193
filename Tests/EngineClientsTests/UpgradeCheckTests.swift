// Goal: before a job is stopped for an upgrade, what Flink would refuse is said, what cannot be told is called that, and nothing is claimed beyond.
// Method: plans as clusters of 1.14.3, 1.20.5 and 2.3.0 tell them of one program with and without uids; snapshots of it.

import EngineClients
import FlinkREST
import StreamModel
import Testing

@Suite struct UpgradeCheckTests {
    /// Ids of operators with a uid: chaining does not touch them.
    private static let numbers = id(1), throttle = id(2), count = id(3), sink = id(4)
    private static func id(_ number: UInt64) -> OperatorID { OperatorID(high: number << 40, low: 7) }
    private static func vertex(_ id: OperatorID, _ name: String, _ parallelism: Int = 1) -> FlinkProgramPlan.Vertex {
        .init(id: id, name: name, parallelism: parallelism)
    }

    /// numbers -> throttle, and count -> sink.
    private static func plans(count countID: OperatorID = count, extra: Bool = false, parallelism: Int = 1, isOld: Bool = false) -> UpgradeCheck.Plans {
        let chained = FlinkProgramPlan([vertex(numbers, "numbers -> throttle", parallelism), vertex(countID, "count -> sink", parallelism)])
        var all = [
            vertex(numbers, "numbers", parallelism), vertex(throttle, "throttle", parallelism), vertex(countID, "count", parallelism),
            vertex(sink, "sink", parallelism),
        ]
        if extra { all.append(vertex(id(5), "extra", parallelism)) }
        return UpgradeCheck.Plans(chained: chained, unchained: isOld ? nil : FlinkProgramPlan(all))
    }

    /// The same program without uids: ids with chaining, and other ids without.
    private static func generated(from first: UInt64 = 0x1000) -> UpgradeCheck.Plans {
        UpgradeCheck.Plans(
            chained: FlinkProgramPlan([vertex(id(first), "numbers -> throttle"), vertex(id(first + 2), "count -> sink")]),
            unchained: FlinkProgramPlan(
                (0..<4).map { vertex(id(first + 0x100 + $0), ["numbers", "throttle", "count", "sink"][Int($0)]) }))
    }

    private static func states(_ ids: [OperatorID] = [numbers, throttle, count], maxParallelism: Int = 128) -> [UpgradeCheck.State] {
        ids.map { .init(id: $0, name: nil, maxParallelism: maxParallelism, size: 4096, hasState: true) }
            + [.init(id: sink, name: "sink", maxParallelism: 128, size: 0, hasState: false)]
    }

    private func check(
        _ new: UpgradeCheck.Plans, _ old: UpgradeCheck.Plans? = plans(), _ states: [UpgradeCheck.State]? = states(), allowsUnmatched: Bool = false
    ) -> UpgradeCheck {
        UpgradeCheck(of: states, new: new, old: old, allowsUnmatched: allowsUnmatched)
    }

    private func text(_ check: UpgradeCheck) -> String { check.findings.map { "\($0.weight.rawValue) \($0.text)" }.joined(separator: "\n") }

    @Test func `a program with the same uids fits, and what begins empty is named`() {
        #expect(check(Self.plans()).findings.isEmpty)
        let extended = check(Self.plans(extra: true))
        #expect(extended.weight == .note && text(extended) == "note operators that the snapshot does not name: extra: new ones begin empty")
    }

    @Test func `state whose uid is gone is named with its size, and refused unless it may be dropped`() {
        let renamed = check(Self.plans(count: Self.id(9)))
        #expect(renamed.weight == .blocks)
        #expect(text(renamed).hasPrefix("blocks state without an operator in the new program: \(Self.count.short) (4.00 KiB"), "\(text(renamed))")
        #expect(check(Self.plans(count: Self.id(9)), allowsUnmatched: true).weight == .note)
        // Without the old program's plan that cannot be told, unless the snapshot names the uid.
        #expect(check(Self.plans(count: Self.id(9)), nil).weight == .unknown)
        var states = Self.states()
        states[2].isUID = true
        #expect(check(Self.plans(count: Self.id(9)), nil, states).weight == .blocks)
        #expect(check(Self.generated(), nil).weight == .unknown)
    }

    @Test func `a program that lost its uids is refused, and one without says so loudly`() {
        let lost = check(Self.generated())
        #expect(
            lost.weight == .blocks && text(lost).contains("operators without uid: numbers -> throttle (\(Self.id(0x1000).short)), count -> sink"),
            "\(text(lost))")
    }

    @Test func `without uids the same graph fits, and another one cannot be told`() {
        let old = Self.generated(), states = Self.states([Self.id(0x1000), Self.id(0x1001), Self.id(0x1002)])
        let same = check(Self.generated(), old, states)
        #expect(same.weight == .note && text(same).contains("operators without uid"), "\(text(same))")
        // The head of the second chain moved: its state may be elsewhere, or nowhere.
        var moved = Self.generated()
        moved.chained.vertices[1].id = Self.id(0x2000)
        let other = check(moved, old, states)
        #expect(other.weight == .unknown && text(other).contains("state whose operator cannot be told"), "\(text(other))")
    }

    @Test func `where only heads are told, what stands behind them cannot be told`() {
        let heads = check(Self.plans(isOld: true), Self.plans(isOld: true))
        #expect(
            heads.weight == .unknown && text(heads).contains("tells the heads of chains only") && text(heads).contains(Self.throttle.short), "\(text(heads))")
        #expect(!text(heads).contains(Self.count.short), "a head is told exactly")
        #expect(check(Self.plans(isOld: true), nil, Self.states([Self.numbers, Self.count])).weight == .note)
    }

    @Test func `more parallelism than the state can be split into is refused`() {
        #expect(check(Self.plans(parallelism: 128)).weight == .note)
        let split = check(Self.plans(parallelism: 129))
        #expect(split.weight == .blocks && text(split).contains("count would run with 129, and its state can be split into 128 at most"), "\(text(split))")
        // An operator without state is bound by nothing.
        let sink = [UpgradeCheck.State(id: Self.sink, name: nil, maxParallelism: 128, size: 0, hasState: false)]
        #expect(check(Self.plans(parallelism: 500), Self.plans(), sink).weight == .note)
    }

    @Test func `a snapshot that cannot be read, and a program that makes no job`() {
        #expect(check(Self.plans(), Self.plans(), nil).weight == .unknown)
        let thrown = UpgradeCheck(failure: "the new program makes no job: told to throw", isCertain: true)
        #expect(thrown.weight == .blocks && thrown.slots == nil && check(Self.plans(parallelism: 7)).slots == 7)
        #expect(UpgradeCheck(failure: "the answer is too long", isCertain: false).weight == .unknown)
    }

    @Test func `operators that had finished, in another graph, cannot be told`() {
        var states = Self.states()
        states[0].isFinished = true
        #expect(check(Self.plans(), Self.plans(), states).weight == .note, "the same graph")
        #expect(check(Self.plans(extra: true), Self.plans(), states).weight == .unknown)
    }
}
