internal import Glibc

/// Data of the crash handler, computed beforehand: it may not allocate, lock or call into Swift's runtime.
private struct CrashRecord {
    /// Descriptor of the terminal, used only by the handler.
    var descriptor: Int32
    /// Descriptor of the frames, and a file that takes later writes of other threads; negative = none.
    var shared: Int32
    var sink: Int32
    var termios: termios
    /// Bytes that restore the terminal, and one line for the operator.
    var reset: UnsafeMutableRawPointer
    var resetCount: Int
    var message: UnsafeMutableRawPointer
    var messageCount: Int
    /// Room for return addresses, and the C library functions that collect and write them; nil = unavailable.
    var frames: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    var collectFrames: CollectFrames?
    var writeFrames: WriteFrames?

    typealias CollectFrames = @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>, Int32) -> Int32
    typealias WriteFrames = @convention(c) (UnsafePointer<UnsafeMutableRawPointer?>, Int32, Int32) -> Void
    static let framesMax: Int32 = 64
}

/// Record of the terminal in use. Raw memory that is never freed, so that a handler on another thread cannot lose it.
private nonisolated(unsafe) var crashRecord: UnsafeMutablePointer<CrashRecord>?

/// Restores the terminal when the process dies of a fault: a Swift trap (SIGILL, SIGTRAP), SIGSEGV, SIGBUS, SIGFPE, SIGABRT, or an unexpected
/// `exit`. Armed and disarmed by the thread that owns the terminal.
enum CrashGuard {
    private static let signals = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP]
    private nonisolated(unsafe) static var isRegistered = false

    /// Arms the guard. `termios` is the mode to restore, `reset` the bytes that leave full-screen drawing.
    static func arm(descriptor: Int32, termios: termios, reset: [UInt8], message: String) {
        let text = Array(message.utf8)
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        let record = UnsafeMutablePointer<CrashRecord>.allocate(capacity: 1)
        record.initialize(
            to: CrashRecord(
                descriptor: own < 0 ? descriptor : own, shared: descriptor, sink: own < 0 ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC),
                termios: termios, reset: copy(reset), resetCount: reset.count, message: copy(text), messageCount: text.count,
                frames: .allocate(capacity: Int(CrashRecord.framesMax)),
                collectFrames: lookUp("backtrace", as: CrashRecord.CollectFrames.self),
                writeFrames: lookUp("backtrace_symbols_fd", as: CrashRecord.WriteFrames.self)))
        // The first call loads a library, which a handler must not do.
        _ = record.pointee.collectFrames?(record.pointee.frames, 1)
        crashRecord = record
        useAlternateStack()
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = restoreAndDie
            // SA_RESETHAND: the default action applies the second time, on any thread.
            action.sa_flags = SA_ONSTACK | Int32(bitPattern: UInt32(SA_RESETHAND))
            sigfillset(&action.sa_mask)
            sigaction(signal, &action, nil)
        }
        if !isRegistered {
            isRegistered = true
            atexit { restoreTerminal(withMessage: false) }
        }
    }

    /// Disarms the guard once the terminal is restored or gone. The handler's descriptors stay open: a handler running at this moment must not find
    /// another file behind their numbers.
    static func disarm() {
        crashRecord = nil
        for signal in signals {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = SIG_DFL
            sigaction(signal, &action, nil)
        }
    }

    /// Looks up a function of the C library that its Swift module does not expose.
    private static func lookUp<Function>(_ name: String, as type: Function.Type) -> Function? {
        dlsym(nil, name).map { unsafeBitCast($0, to: type) }
    }

    private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawPointer {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        memory.copyMemory(from: bytes, byteCount: bytes.count)
        return memory
    }

    /// Installs a separate stack for this thread's handler, so that a stack overflow can be handled.
    private static func useAlternateStack() {
        let size = 64 << 10
        var stack = stack_t()
        stack.ss_sp = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        stack.ss_size = size
        sigaltstack(&stack, nil)
    }
}

/// The crash handler. Async-signal-safe: `dup2`, `write`, `tcsetattr`, `raise`, and collecting return addresses with the library already
/// loaded.
private func restoreAndDie(_ signal: Int32) {
    let record = crashRecord
    silenceOthers(record)
    restoreTerminal(withMessage: true)
    if let record, isatty(STDERR_FILENO) == 0, let collect = record.pointee.collectFrames, let writeOut = record.pointee.writeFrames {
        // Standard error is the log: the crash location, for debugging.
        writeOut(record.pointee.frames, collect(record.pointee.frames, CrashRecord.framesMax), STDERR_FILENO)
    }
    // Pending until this handler returns, then fatal: the exit status shows the true signal.
    raise(signal)
}

/// Last resort of a terminating process whose terminal accepts no bytes: restores whatever does not block, and ends the process as the signal
/// would have. Async-signal-safe.
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

/// Redirects output of other threads, which run on during a handler: a frame, or the bytes that take the terminal again after Ctrl-Z, must not
/// follow the restoring bytes.
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
