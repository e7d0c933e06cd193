internal import ControlProtocol
internal import Dataflow
internal import StreamModel

/// Orders of a shop, made by a deterministic generator, and the revenue of each product as a running sum. Every order carries its
/// number within its product, so the job counts duplicates and losses itself.
struct Orders: StreamJob {
    static let productCount: UInt64 = 64
    /// Parts of the sequence: the highest parallelism at which the source still has work for everybody.
    static let splitCount = 8

    var name = "orders"
    var rate: Double?
    var interval: Milliseconds
    var timeout: Milliseconds
    /// Misbehaves when told to.
    var takesFaults: Bool
    /// Records in all; nil = without end.
    var count: UInt64?
    /// Where the sums go, a line each; nil = nowhere.
    var output: String?

    static let program = Program(
        description: ProgramDescription(
            name: "orders", help: "Revenue per product from a deterministic stream of orders.",
            arguments: [
                .init(name: "rate", help: "Orders a second.", defaultValue: "2000"),
                .init(name: "interval", help: "Time between checkpoints.", defaultValue: "3s"),
                .init(name: "timeout", help: "Time that a checkpoint may take.", defaultValue: "60s"),
                .init(name: "faults", help: "Whether it misbehaves when told to: yes or no.", defaultValue: "no"),
                .init(name: "count", help: "Orders in all; without it the stream has no end."),
                .init(name: "output", help: "Directory for the running sums; without it they are dropped."),
            ]),
        parallelism: 2
    ) { arguments throws(ProgramError) in
        Orders(
            rate: try arguments.rate("rate"), interval: try arguments.duration("interval", in: 10...86_400_000) ?? .seconds(3),
            timeout: try arguments.duration("timeout", in: 10...86_400_000) ?? .seconds(60), takesFaults: try arguments.choice("faults", ["no", "yes"]) == "yes",
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
        let sums = environment
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

/// One order: a function of its place in the generated sequence.
struct Order: Sendable {
    var product: UInt32
    var split: Int
    /// 0, 1, 2, ... within the product and the split.
    var ordinal: UInt64
    /// Price in cents times pieces.
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

/// Sums up cents.
struct Revenue: AggregateFunction {
    func makeAccumulator() -> Int64 { 0 }
    func add(_ order: Order, to sum: inout Int64) { sum &+= order.cents }
    func result(of sum: Int64) -> Int64 { sum }
}
