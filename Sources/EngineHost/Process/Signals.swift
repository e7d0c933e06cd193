internal import Dispatch
internal import Glibc
public import StreamModel

/// The signals that end our process, taken one at a time by its main thread instead of by handlers.
public struct EndSignals {
    private var set = sigset_t()

    /// Blocks the signals in this thread and in all later ones, which inherit the mask: call it before any is started. A broken pipe, or a file at
    /// its size limit, is from here on an error of the call and does not end the process.
    public init() {
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    /// The next signal; nil = none within the limit.
    public func wait(_ limit: Milliseconds) -> Int32? {
        var set = set
        var time = timespec(tv_sec: Int(limit.count / 1000), tv_nsec: Int(limit.count % 1000) * 1_000_000)
        let number = sigtimedwait(&set, nil, &time)
        return number > 0 ? number : nil
    }

    /// Ends this process when its standard input ends: the parent holds the other end of the pipe, and releases it however it dies.
    public static func followInput() {
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
