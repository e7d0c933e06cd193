import Testing

@testable import ConsoleApp

@Suite struct ResidentMemoryTests {
    @Test func `only the code of files is let go`() {
        let table = """
            555000-556000 r--p 00000000 fe:00 11                             /usr/bin/weir
            Size:                  4 kB
            Anonymous:             0 kB
            Swap:                  0 kB
            556000-559000 r-xp 00001000 fe:00 11                             /usr/bin/weir
            Anonymous:             0 kB
            Swap:                  0 kB
            VmFlags: rd ex mr mw me
            559000-55a000 rw-p 00004000 fe:00 11                             /usr/bin/weir
            Anonymous:             0 kB
            Swap:                  0 kB
            55a000-55b000 r--p 00005000 fe:00 11                             /usr/bin/weir
            Anonymous:             4 kB
            Swap:                  0 kB
            55b000-55c000 r--p 00006000 fe:00 11                             /usr/bin/weir
            Anonymous:             0 kB
            Swap:                  4 kB
            7f0000-7f1000 r-xp 00000000 00:00 0                              [vdso]
            Anonymous:             0 kB
            Swap:                  0 kB
            7fb000-7fd000 r-xp 00000000 fe:00 13                             /usr/lib/with space.so
            Anonymous:             0 kB
            Swap:                  0 kB
            7fe000-7ff000 r-xp 00000000 fe:00 14                             /usr/lib/cut.so
            nonsense
            """
        let found = ResidentMemory.fileMappings(table)
        #expect(found.map(\.start) == [0x555000, 0x556000, 0x7fb000])
        #expect(found.map(\.length) == [0x1000, 0x3000, 0x2000])
    }

    @Test func `this process goes on after its code was let go`() {
        #expect(!ResidentMemory.fileMappings().isEmpty)
        ResidentMemory.releaseStartUpCode()
        #expect((1...1000).reduce(0, +) == 500_500)
    }
}
