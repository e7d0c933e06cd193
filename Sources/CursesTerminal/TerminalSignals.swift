internal import Glibc

/// A signal to the process, in the console's terms.
public enum TerminalSignal: Sendable, Hashable {
    /// The window size changed.
    case resized
    /// Ctrl-Z, or `kill -TSTP`.
    case suspend
    /// The process was stopped externally and has continued.
    case resumed
    /// SIGTERM, SIGINT or SIGQUIT: exit cleanly.
    case terminate
    /// SIGHUP: leave, without touching a terminal that is gone.
    case hangup
}

/// Write end of the signal pipe. A plain number, set before the first handler is installed; a handler touches nothing else.
private nonisolated(unsafe) var signalPipeWriteEnd: Int32 = -1

/// Turns signals into bytes of a pipe, which the event loop reads in turn. One instance at a time; made and used by the thread that owns the
/// terminal. Handlers run on any thread, and only `write`.
final class TerminalSignals {
    let descriptor: Int32
    private let writeEnd: Int32
    private var saved: [(signal: Int32, action: sigaction)] = []
    private static let meanings: [Int32: TerminalSignal] = [
        SIGWINCH: .resized, SIGTSTP: .suspend, SIGCONT: .resumed, SIGTERM: .terminate, SIGINT: .terminate, SIGQUIT: .terminate,
        SIGHUP: .hangup,
    ]

    /// Installs the handlers. Must precede ncurses, which leaves handled signals alone.
    init() throws(TerminalError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .device(call: "pipe", errno: errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (descriptor, writeEnd) = (ends[0], ends[1])
        signalPipeWriteEnd = writeEnd
        for signal in Self.meanings.keys { install(signal) }
        var former = sigaction(), action = sigaction()
        action.__sigaction_handler.sa_handler = giveUpTerminal
        sigfillset(&action.sa_mask)
        sigaction(SIGALRM, &action, &former)
        saved.append((SIGALRM, former))
    }

    /// Restores the former actions.
    func restore() {
        guard signalPipeWriteEnd == writeEnd else { return }
        alarm(0)
        for (signal, var action) in saved { sigaction(signal, &action, nil) }
        saved = []
        signalPipeWriteEnd = -1
        close(writeEnd)
        close(descriptor)
    }

    /// Signals since the last call, each kind once.
    func drain() -> Set<TerminalSignal> {
        var seen: Set<TerminalSignal> = []
        var bytes = [UInt8](repeating: 0, count: 256)
        while true {
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { return seen }
            for byte in bytes.prefix(count) { Self.meanings[Int32(byte)].map { _ = seen.insert($0) } }
        }
    }

    /// Stops the process as Ctrl-Z would have without our handler; returns when it continues. Synchronous: the signal is raised on this thread.
    func stopProcess() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = SIG_DFL
        sigaction(SIGTSTP, &action, nil)
        raise(SIGTSTP)
        arm(SIGTSTP)
        // The return from here already shows the continuation.
        let later = drain().subtracting([.resumed, .suspend])
        for (signal, meaning) in Self.meanings where later.contains(meaning) && signal != SIGINT && signal != SIGQUIT { note(signal) }
    }

    private func install(_ signal: Int32) {
        var former = sigaction()
        guard sigaction(signal, nil, &former) == 0 else { return }
        // A signal ignored at start (nohup, a shell without job control) stays ignored.
        if unsafeBitCast(former.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self), signal != SIGWINCH {
            return
        }
        saved.append((signal, former))
        arm(signal)
    }

    private func arm(_ signal: Int32) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = note
        action.sa_flags = SA_RESTART
        sigfillset(&action.sa_mask)
        sigaction(signal, &action, nil)
    }
}

/// Seconds for a terminating process to restore the terminal, which may accept no bytes in the middle of a frame.
private let endingTime: UInt32 = 5

/// The signal handler: writes one byte into the pipe. A full pipe already carries the news.
private func note(_ signal: Int32) {
    let code = errno
    if signal == SIGTERM || signal == SIGINT || signal == SIGQUIT || signal == SIGHUP { alarm(endingTime) }
    var byte = UInt8(truncatingIfNeeded: signal)
    write(signalPipeWriteEnd, &byte, 1)
    errno = code
}
