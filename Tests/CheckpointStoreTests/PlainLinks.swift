import Glibc

func makeLink(from path: String, to target: String) {
    guard symlink(target, path) == 0 else { fatalError("symlink \(path): errno \(errno)") }
}
