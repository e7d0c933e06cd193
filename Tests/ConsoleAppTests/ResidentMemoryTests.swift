import Testing

@testable import ConsoleApp

@Suite struct ResidentMemoryTests {
    @Test func `only the code of files is let go`() {
        let table = """
            555000-556000 r--p 00000000 fe:00 12 /usr/bin/weir
            556000-559000 r-xp 00001000 fe:00 12 /usr/bin/weir
            559000-55a000 rw-p 00004000 fe:00 12 /usr/bin/weir
            7f0000-7f8000 r-xp 00000000 00:00 0
            7f9000-7fa000 r-xp 00000000 00:00 0                              [vdso]
            7fb000-7fd000 r-xp 00000000 fe:00 13                             /usr/lib/with space.so
            nonsense
            """
        let found = ResidentMemory.codeMappings(table)
        #expect(found.map(\.start) == [0x556000, 0x7fb000])
        #expect(found.map(\.length) == [0x3000, 0x2000])
    }

    @Test func `this process goes on after its code was let go`() {
        #expect(!ResidentMemory.codeMappings().isEmpty)
        ResidentMemory.releaseStartUpCode()
        #expect((1...1000).reduce(0, +) == 500_500)
    }
}
