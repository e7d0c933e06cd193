internal import Glibc
public import StreamModel

/// The operations that live processes carry out: a lock of the kernel for each, on a byte of a file beside the ledger. It ends with the
/// process that holds it, however that ends, so that nobody has to guess from process ids or times.
final class OperationClaims: Sendable {
    /// -1 = there is no such file, and no claims.
    private let descriptor: Int32

    init(beside path: String) {
        descriptor = Glibc.open(path + "-claims", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// False = another open file has it.
    func take(_ id: OperationID) -> Bool {
        guard descriptor >= 0 else { return true }
        var lock = Self.lock(on: id, type: F_WRLCK)
        // Without locks in the file system nobody can be told apart, and nobody is kept from acting.
        return fcntl(descriptor, Self.setLock, &lock) == 0 || errno != EAGAIN && errno != EACCES
    }

    func isTakenElsewhere(_ id: OperationID) -> Bool {
        guard descriptor >= 0 else { return false }
        var lock = Self.lock(on: id, type: F_WRLCK)
        guard fcntl(descriptor, Self.getLock, &lock) == 0 else { return false }
        return Int32(lock.l_type) != F_UNLCK
    }

    func release(_ id: OperationID) {
        guard descriptor >= 0 else { return }
        var lock = Self.lock(on: id, type: F_UNLCK)
        _ = fcntl(descriptor, Self.setLock, &lock)
    }

    /// Of the open file, not of the process: F_OFD_GETLK and F_OFD_SETLK, which Swift's Glibc does not name.
    private static let getLock: Int32 = 36, setLock: Int32 = 37

    private static func lock(on id: OperationID, type: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = off_t(place(of: id))
        lock.l_len = 1
        return lock
    }

    /// FNV-1a, within what a file offset can be.
    private static func place(of id: OperationID) -> UInt64 {
        id.description.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } >> 2
    }
}

extension Ledger {
    /// Makes this process the one that carries an operation out, until it ends or lets go. False = another one does.
    public func claim(_ id: OperationID) -> Bool { claims.take(id) }

    public func release(_ id: OperationID) { claims.release(id) }

    /// Whether another live process carries the operation out.
    public func isCarriedOutElsewhere(_ id: OperationID) -> Bool { claims.isTakenElsewhere(id) }
}
