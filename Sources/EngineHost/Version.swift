public enum WeirVersion {
    public static let current = "0.1.0"
}
