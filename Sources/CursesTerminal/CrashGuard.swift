internal import Glibc

/// What the crash handler needs, computed beforehand: it may not allocate, lock or call into Swift's runtime.
private struct CrashRecord {
    /// The terminal, by a descriptor that only the handler uses.
    var descriptor: Int32
    /// The one that frames are written to, and a file that takes what other threads still write to it; negative = there is none.
    var shared: Int32
    var sink: Int32
    var termios: termios
    /// Bytes that undo what was done to the terminal, and one line for the operator.
    var reset: UnsafeMutableRawPointer
    var resetCount: Int
    var message: UnsafeMutableRawPointer
    var messageCount: Int
    /// Room for return addresses, and the functions of the C library that collect and write them; nil = not there.
    var frames: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    var collectFrames: CollectFrames?
    var writeFrames: WriteFrames?

    typealias CollectFrames = @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>, Int32) -> Int32
    typealias WriteFrames = @convention(c) (UnsafePointer<UnsafeMutableRawPointer?>, Int32, Int32) -> Void
    static let framesMax: Int32 = 64
}

/// Set while a terminal is in use. Raw memory that is never freed, so that a handler on another thread cannot lose it.
private nonisolated(unsafe) var crashRecord: UnsafeMutablePointer<CrashRecord>?

/// Puts the terminal back when the process dies of a fault: a Swift trap (SIGILL, SIGTRAP), SIGSEGV, SIGBUS, SIGFPE, SIGABRT, or
/// `exit` called behind the console's back. Armed and disarmed by the thread that owns the terminal.
enum CrashGuard {
    private static let signals = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP]
    private nonisolated(unsafe) static var isRegistered = false

    /// `termios` is the mode to go back to, `reset` the bytes that leave full-screen drawing.
    static func arm(descriptor: Int32, termios: termios, reset: [UInt8], message: String) {
        let text = Array(message.utf8)
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        let record = UnsafeMutablePointer<CrashRecord>.allocate(capacity: 1)
        record.initialize(
            to: CrashRecord(
                descriptor: own < 0 ? descriptor : own, shared: descriptor, sink: own < 0 ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC),
                termios: termios, reset: copy(reset), resetCount: reset.count, message: copy(text), messageCount: text.count, frames: .allocate(capacity: Int(CrashRecord.framesMax)),
                collectFrames: lookUp("backtrace", as: CrashRecord.CollectFrames.self),
                writeFrames: lookUp("backtrace_symbols_fd", as: CrashRecord.WriteFrames.self)))
        // The first call loads a library, which a handler must not.
        _ = record.pointee.collectFrames?(record.pointee.frames, 1)
        crashRecord = record
        useAlternateStack()
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = restoreAndDie
            // SA_RESETHAND: the second time, on any thread, is the default action.
            action.sa_flags = SA_ONSTACK | Int32(bitPattern: UInt32(SA_RESETHAND))
            sigfillset(&action.sa_mask)
            sigaction(signal, &action, nil)
        }
        if !isRegistered {
            isRegistered = true
            atexit { restoreTerminal(withMessage: false) }
        }
    }

    /// The terminal is back in order, or gone: from here on a crash touches nothing. The handler's descriptors stay open: one that runs at this
    /// moment must not find another file behind their numbers.
    static func disarm() {
        crashRecord = nil
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = SIG_DFL
            sigaction(signal, &action, nil)
        }
    }

    /// A function of the C library that its Swift module does not show.
    private static func lookUp<Function>(_ name: String, as type: Function.Type) -> Function? {
        dlsym(nil, name).map { unsafeBitCast($0, to: type) }
    }

    private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        memory.copyMemory(from: bytes, byteCount: bytes.count)
        return memory
    }

    /// A stack of its own for the handler of this thread, so that a stack overflow can be handled.
    private static func useAlternateStack() {
        let size = 64 << 10
        var stack = stack_t()
        stack.ss_sp = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        stack.ss_size = size
        sigaltstack(&stack, nil)
    }
}

/// The crash handler. Async-signal-safe: `dup2`, `write`, `tcsetattr`, `raise`, and the collecting of return addresses after its library
/// was loaded.
private func restoreAndDie(_ signal: Int32) {
    let record = crashRecord
    silenceOthers(record)
    restoreTerminal(withMessage: true)
    if let record, isatty(STDERR_FILENO) == 0, let collect = record.pointee.collectFrames, let writeOut = record.pointee.writeFrames {
        // Standard error is the log: where it crashed, for whoever repairs it.
        writeOut(record.pointee.frames, collect(record.pointee.frames, CrashRecord.framesMax), STDERR_FILENO)
    }
    // Pending until this handler returns, then fatal: the exit status tells the true signal.
    raise(signal)
}

/// The last resort of a process that was told to end and did not get to it, since its terminal takes nothing: what can be put back without
/// waiting is, and the process ends as the signal would have ended it. Async-signal-safe.
func giveUpTerminal(_ signal: Int32) {
    silenceOthers(crashRecord)
    if let descriptor = crashRecord?.pointee.descriptor {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        restoreTerminal(withMessage: false)
        _ = fcntl(descriptor, F_SETFL, flags)
    }
    _exit(128 + SIGTERM)
}

/// Other threads run on while a handler works: what they still write, a frame or the words that take the terminal again after Ctrl-Z, must not
/// come after what gives it back.
private func silenceOthers(_ record: UnsafeMutablePointer<CrashRecord>?) {
    guard let record, record.pointee.sink >= 0 else { return }
    dup2(record.pointee.sink, record.pointee.shared)
}

private func restoreTerminal(withMessage: Bool) {
    guard let record = crashRecord else { return }
    crashRecord = nil
    write(record.pointee.descriptor, record.pointee.reset, record.pointee.resetCount)
    tcsetattr(record.pointee.descriptor, TCSANOW, &record.pointee.termios)
    if withMessage { write(record.pointee.descriptor, record.pointee.message, record.pointee.messageCount) }
}
