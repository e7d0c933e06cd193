import CheckpointStore
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: a user's type has a shape that checkpoints can be compared by, its bytes come back, and no bytes trap. Method: tables; every
// prefix and every flipped byte.

struct Address: StateRecord, Equatable {
    let street: String
    let number: UInt16
    static let stateSchema = StateSchema("Address", .field("street", \.street), .field("number", \.number), make: Address.init(street:number:))
}

struct Account: StateRecord, Equatable {
    enum Level: UInt8, StateCodable { case plain = 1, gold = 7 }
    var owner: String
    var balance: Int64
    var level: Level
    var home: Address?
    var orders: [UInt32]
    var limits: [String: Double]
    var children: [Account]
    static let stateSchema = StateSchema(
        "Account", .field("owner", \.owner), .field("balance", \.balance), .field("level", \.level), .field("home", \.home),
        .field("orders", \.orders), .field("limits", \.limits), .field("children", \.children),
        make: Account.init(owner:balance:level:home:orders:limits:children:))
}

@Suite struct StateRecordTests {
    let sample = Account(
        owner: "Zoë", balance: -5, level: .gold, home: Address(street: "Weir Lane", number: 3), orders: [1, 2, 3], limits: ["a": 1.5, "b": -0.0],
        children: [Account(owner: "", balance: .max, level: .plain, home: nil, orders: [], limits: [:], children: [])])

    func encode(_ value: some StateCodable) -> [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        value.encode(into: &writer)
        return Array(writer.bytes)
    }

    func decode<Value: StateCodable>(_ bytes: [UInt8], as type: Value.Type = Value.self) throws -> Value {
        try bytes.withUnsafeBytes { buffer in
            var reader = StateReader(buffer)
            let value = try Value(from: &reader)
            guard reader.isAtEnd else { throw StateDecodingError(offset: reader.offset, problem: "\(reader.remaining) bytes too many") }
            return value
        }
    }

    @Test func aRecordRoundTrips() throws {
        #expect(try decode(encode(sample)) == sample)
        #expect(try decode(encode(Address?.none)) == Address?.none)
    }

    @Test func theShapeNamesEveryFieldRecursively() {
        #expect(Address.stateTypeName == "Address{street: String, number: UInt16}")
        #expect(
            Account.stateTypeName
                == "Account{owner: String, balance: Int64, level: Level(UInt8), home: Address{street: String, number: UInt16}?, orders: [UInt32], limits: [String:Double], children: [Account]}"
        )
        #expect([Address].stateTypeName == "[Address{street: String, number: UInt16}]")
    }

    // Both are part of the format.
    @Test func bytesAndFingerprintNeverChange() {
        #expect(encode(Address(street: "ab", number: 258)) == [2, 0, 0, 0, 97, 98, 2, 1])
        #expect(StateHandle.fingerprint(ofShape: "") == 0xcbf2_9ce4_8422_2325)
        #expect(StateHandle.fingerprint(ofShape: "a") == 0xaf63_dc4c_8601_ec8c)
        #expect(StateHandle.fingerprint(ofShape: "foobar") == 0x8594_4171_f739_67e8)
    }

    @Test func everyPrefixIsRefused() {
        let bytes = encode(sample)
        for length in 0..<bytes.count { #expect(throws: StateDecodingError.self) { try decode(Array(bytes[..<length]), as: Account.self) } }
    }

    @Test func everyFlippedByteGivesAnErrorOrAValue() {
        let bytes = encode(sample)
        var refused = 0
        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                do { _ = try decode(damaged, as: Account.self) } catch { refused += 1 }
            }
        }
        #expect(refused > bytes.count)
    }

    // Thirty-two thousand nested records in little more than a megabyte: an error, not the end of the stack.
    @Test func unlimitedNestingIsRefused() throws {
        var bytes: [UInt8] = []
        for _ in 0..<32_000 {
            bytes += encode("") + encode(Int64(0)) + [1, 0] + encode([UInt32]()) + encode([String: Double]()) + [1, 0, 0, 0]
        }
        #expect { try decode(bytes, as: Account.self) } throws: { "\($0)".contains("records nested more") }
    }

    @Test func unknownRawValuesAreRefused() {
        #expect { try decode([2], as: Account.Level.self) } throws: { "\($0)".contains("2 is not a Level") }
    }

    // Migrations.
    struct V1: StateRecord, Equatable {
        let cents: UInt32
        static let stateSchema = StateSchema("Price", .field("cents", \.cents), make: V1.init(cents:))
    }
    struct V2: StateRecord, Equatable {
        let cents: UInt64
        static let stateSchema = StateSchema("Price", .field("cents", \.cents), make: V2.init(cents:))
    }
    struct V3: StateRecord, Equatable {
        let cents: UInt64
        let currency: String
        static let stateSchema = StateSchema("Price", .field("cents", \.cents), .field("currency", \.currency), make: V3.init(cents:currency:))
    }
    struct TooMuch: Error {}

    @Test func aChainOfMigrationsReadsEveryOlderShape() throws {
        let migration = StateMigration.from(V1.self) { V2(cents: UInt64($0.cents)) }.then { V3(cents: $0.cents, currency: "EUR") }
        #expect(Set(migration.shapes.map(\.name)) == ["Price{cents: UInt32}", "Price{cents: UInt64}"])
        func read(_ bytes: [UInt8], _ shape: String) throws -> V3 {
            let stored = try #require(migration.shapes.first { $0.name == shape })
            return try bytes.withUnsafeBytes { buffer in
                var reader = StateReader(buffer)
                return try stored.read(&reader)
            }
        }
        #expect(try read(encode(V1(cents: 7)), V1.stateTypeName) == V3(cents: 7, currency: "EUR"))
        #expect(try read(encode(V2(cents: 8)), V2.stateTypeName) == V3(cents: 8, currency: "EUR"))
    }

    @Test func aFailedMigrationIsReported() {
        let migration = StateMigration<V2>.from(V1.self) { _ in throw TooMuch() }
        let bytes = encode(V1(cents: 7))
        #expect {
            try bytes.withUnsafeBytes { buffer in
                var reader = StateReader(buffer)
                _ = try migration.shapes[0].read(&reader)
            }
        } throws: { "\($0)".contains("the migration from Price{cents: UInt32} failed: TooMuch()") }
    }

    // What a lifted migration reads must be what the container writes.
    @Test func migrationsReachIntoListsMapsAndTimesToLive() throws {
        let stored = StateMigration<V2>.from(V1.self) { V2(cents: UInt64($0.cents)) }.shapes[0]
        func read<Value>(_ bytes: [UInt8], _ shape: StoredShape<Value>) throws -> Value {
            try bytes.withUnsafeBytes { buffer in
                var reader = StateReader(buffer)
                let value = try shape.read(&reader)
                #expect(reader.isAtEnd)
                return value
            }
        }
        let old = [V1(cents: 1), V1(cents: 2)]
        #expect(stored.array().name == [V1].stateTypeName)
        #expect(try read(encode(old), stored.array()) == [V2(cents: 1), V2(cents: 2)])
        let map = stored.dictionary() as StoredShape<[String: V2]>
        #expect(map.name == [String: V1].stateTypeName)
        #expect(try read(encode(["a": V1(cents: 3)]), map) == ["a": V2(cents: 3)])
        #expect(stored.expiring().name == Expiring<V1>.stateTypeName)
        let expiring = try read(encode(Expiring(value: V1(cents: 4), accessedAt: WallTime(milliseconds: 5))), stored.expiring())
        #expect(expiring.value == V2(cents: 4) && expiring.accessedAt == WallTime(milliseconds: 5))
    }
}

@Suite struct OperatorStateDistributionTests {
    // Worked by hand from Flink's RoundRobinOperatorStateRepartitioner.
    @Test func elementsAreCutIntoContiguousRunsAndTheStartRotates() {
        #expect(OperatorStateDistribution.split([7], parallelism: 3) == [[0..<3, 3..<5, 5..<7]])
        #expect(OperatorStateDistribution.split([6], parallelism: 3) == [[0..<2, 2..<4, 4..<6]])
        #expect(OperatorStateDistribution.split([1], parallelism: 3) == [[0..<1, 1..<1, 1..<1]])
        #expect(OperatorStateDistribution.split([0], parallelism: 2) == [[0..<0, 0..<0]])
        // The first list has one element more than a multiple of 3, so the second begins at subtask 1; then at (1 + 2) % 3 = 0.
        #expect(OperatorStateDistribution.split([7, 5, 4], parallelism: 3) == [[0..<3, 3..<5, 5..<7], [4..<5, 0..<2, 2..<4], [0..<2, 2..<3, 3..<4]])
        #expect(OperatorStateDistribution.split([2, 2, 2], parallelism: 4).map { $0.map(\.count) } == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]])
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyElementGoesToExactlyOneSubtask(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let totals = (0..<Int(random.next() % 5)).map { _ in Int(random.next() % 40) }, parallelism = Int(random.next() % 9) + 1
            for (total, ranges) in zip(totals, OperatorStateDistribution.split(totals, parallelism: parallelism)) {
                #expect(ranges.flatMap(Array.init).sorted() == Array(0..<total))
                #expect((ranges.map(\.count).max() ?? 0) - (ranges.map(\.count).min() ?? 0) <= 1)
            }
        }
    }
}
