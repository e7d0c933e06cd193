internal import ControlProtocol
internal import Dataflow
internal import StreamModel

/// Orders of a shop from a deterministic generator, and the revenue per product as a running sum. Every order carries its number within its
/// product, so the job counts duplicates and losses itself.
struct Orders: StreamJob {
    static let productCount: UInt64 = 64
    /// Number of splits: the highest parallelism at which every source subtask has work.
    static let splitCount = 8

    var name = "orders"
    var rate: Double?
    var interval: Milliseconds
    var timeout: Milliseconds
    /// Whether it accepts injected faults.
    var takesFaults: Bool
    /// Total number of records; nil = unlimited.
    var count: UInt64?
    /// Directory for the sums, one per line; nil = none.
    var output: String?

    static let program = Program(
        description: ProgramDescription(
            name: "orders", help: "Revenue per product from a deterministic stream of orders.",
            arguments: [
                .init(name: "rate", help: "Orders per second.", defaultValue: "2000"),
                .init(name: "interval", help: "Time between checkpoints.", defaultValue: "3s"),
                .init(name: "timeout", help: "Longest time for a checkpoint.", defaultValue: "60s"),
                .init(name: "faults", help: "Allow fault injection: yes or no.", defaultValue: "no"),
                .init(name: "count", help: "Total number of orders; endless if omitted."),
                .init(name: "output", help: "Directory for the running sums; dropped if omitted."),
            ]),
        parallelism: 2
    ) { arguments throws(ProgramError) in
        Orders(
            rate: try arguments.rate("rate"), interval: try arguments.duration("interval", in: 10...86_400_000) ?? .seconds(3),
            timeout: try arguments.duration("timeout", in: 10...86_400_000) ?? .seconds(60),
            takesFaults: try arguments.choice("faults", ["no", "yes"]) == "yes",
            count: try arguments.integer("count", in: 0...Int.max).map { UInt64($0) }, output: try arguments.path("output"))
    }

    func build(_ environment: StreamEnvironment) throws {
        environment.enableCheckpointing(every: interval)
        environment.checkpoints.timeout = timeout
        environment.allowsFaults = takesFaults
        environment.checkpoints.tolerableFailures = 3
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 10
        environment.restartStrategy = .fixedDelay(attempts: 10, delay: .seconds(1))
        let sums =
            environment
            .read(GeneratorSource(count: count, rate: rate, splits: Self.splitCount, make: Order.init(at:)), name: "orders").uid("orders")
            .key { $0.product }
            .verifySequence(uid: "audit", split: { $0.split }, ordinal: { $0.ordinal })
            .aggregate(Revenue()).uid("revenue").name("revenue")
        if let output {
            sums.write(to: .lines(directory: output) { "\($0.key)\t\($0.value)" }).uid("sink").name("sink")
        } else {
            sums.discard().uid("sink").name("sink")
        }
    }
}

/// An order: a function of its position in the generated sequence.
struct Order: Sendable {
    var product: UInt32
    var split: Int
    /// Number within the product and the split, from 0.
    var ordinal: UInt64
    /// Amount: price in cents times pieces.
    var cents: Int64

    init(at place: GeneratorPlace) {
        product = UInt32(place.ordinal % Orders.productCount)
        split = place.split
        ordinal = place.ordinal / Orders.productCount
        var mixed = place.sequence &* 0x9E37_79B9_7F4A_7C15
        mixed ^= mixed >> 29
        cents = Int64(mixed % 50_000) + 1
    }
}

/// Sums cents.
struct Revenue: AggregateFunction {
    func makeAccumulator() -> Int64 { 0 }
    func add(_ order: Order, to sum: inout Int64) { sum &+= order.cents }
    func result(of sum: Int64) -> Int64 { sum }
}
