public import StreamModel

extension StoreError {
    /// Shortage behind the refused call, or nil.
    public var shortage: Shortage? {
        switch self {
        case .belowFreeSpaceFloor(let directory, _, _): Shortage(.space, path: directory)
        case .syncFailed(let path, let errno), .inputOutput(let path, _, let errno): Shortage(errno: errno, path: path)
        default: nil
        }
    }
}
