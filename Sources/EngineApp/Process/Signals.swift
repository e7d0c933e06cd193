internal import Dispatch
internal import Glibc
internal import StreamModel

/// The signals that end a process of ours, taken one at a time by its main thread instead of by handlers.
struct EndSignals {
    private var set = sigset_t()

    /// Blocks them in this thread and, since threads inherit it, in all that are started later: call it before any is. A broken pipe or a
    /// file that has grown to its limit is an error of the call from here on, and kills nobody.
    init() {
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// The next signal; nil = none came within the limit.
    func wait(_ limit: Milliseconds) -> Int32? {
        var set = set
        var time = timespec(tv_sec: Int(limit.count / 1000), tv_nsec: Int(limit.count % 1000) * 1_000_000)
        let number = sigtimedwait(&set, nil, &time)
        return number > 0 ? number : nil
    }

    /// Ends this process when its standard input ends: its parent holds the other end of the pipe, and lets go of it however it dies.
    static func followInput() {
        DispatchQueue(label: "weir.parent").async {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count > 0 || (count < 0 && errno == EINTR) { continue }
                kill(getpid(), SIGTERM)
                return
            }
        }
    }
}
