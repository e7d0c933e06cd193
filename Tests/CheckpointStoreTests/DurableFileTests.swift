import CheckpointStore
import TestKit
import Testing

/// The engine's own small records on the real disk.
@Suite struct DurableFileTests {
    private let temporary = Sandbox()

    @Test("A record is replaced as a whole, over the remains of a dead engine")
    func replace() throws {
        let path = temporary.path + "/jobs.json"
        #expect(try DurableFile.read(path: path, maximum: 10) == nil)
        try DurableFile.replace(path: path, bytes: [1, 2])
        Plain.write(path + ".tmp", [9, 9, 9])
        try DurableFile.replace(path: path, bytes: [3])
        #expect(try DurableFile.read(path: path, maximum: 10) == [3])
        #expect(!Plain.exists(path + ".tmp"))
        #expect(throws: StoreError.tooLarge(path: path, length: 1, maximum: 0)) { try DurableFile.read(path: path, maximum: 0) }
    }

    @Test("A missing directory is named")
    func missingDirectory() {
        #expect(throws: StoreError.inputOutput(path: temporary.path + "/no/x.tmp", operation: .create, errno: 2)) {
            try DurableFile.replace(path: temporary.path + "/no/x", bytes: [])
        }
    }
}

@Suite struct DurableLogTests {
    private let temporary = Sandbox()
    private var path: String { temporary.path + "/events.log" }

    private func append(_ records: [String]) throws {
        let log = try DurableLog(path: path)
        for record in records { try log.append(record) }
    }

    @Test("Records are recovered in order, over several openings")
    func roundTrip() throws {
        try append([])
        try append(["a", "", "{\"b\": \"✓\"}"])
        try append(["c"])
        let log = try DurableLog(path: path)
        #expect(log.recovered == ["a", "", "{\"b\": \"✓\"}", "c"])
        #expect(log.droppedBytes == 0)
        #expect(throws: StoreError.self) { try log.append("two\nlines") }
        log.close()
        #expect(throws: StoreError.closed(path: path)) { try log.append("x") }
    }

    @Test("A torn last line leaves all earlier records, and the next record is clean")
    func tornTail() throws {
        try append(["first", "second"])
        let whole = Plain.read(path)
        let secondStart = 15
        for length in secondStart..<whole.count {
            Plain.write(path, Array(whole[..<length]))
            do {
                let log = try DurableLog(path: path)
                #expect(log.recovered == ["first"], "cut at \(length)")
                #expect(log.droppedBytes == UInt64(length - secondStart))
                try log.append("third")
            }
            #expect(try DurableLog(path: path).recovered == ["first", "third"], "cut at \(length)")
        }
    }

    @Test("An unwritten tail of zeros is cut off")
    func zeroTail() throws {
        try append(["first"])
        Plain.write(path, Plain.read(path) + [UInt8](repeating: 0, count: 100))
        let log = try DurableLog(path: path)
        #expect(log.recovered == ["first"])
        #expect(log.droppedBytes == 100)
    }

    @Test("Damage before the last line is an error and changes nothing")
    func damagedMiddle() throws {
        try append(["first", "second", "third"])
        let whole = Plain.read(path)
        for index in 0..<15 {
            var damaged = whole
            damaged[index] ^= 1
            Plain.write(path, damaged)
            #expect(throws: StoreError.self, "byte \(index)") { try DurableLog(path: path) }
            #expect(Plain.read(path) == damaged)
        }
    }
}
