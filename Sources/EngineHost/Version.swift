public enum WeirVersion {
    public static let current = "0.2.0"
}
