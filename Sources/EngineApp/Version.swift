internal import Glibc

public enum WeirVersion {
    public static let current = "0.1.0"
}

func currentProcessID() -> Int32 { getpid() }
