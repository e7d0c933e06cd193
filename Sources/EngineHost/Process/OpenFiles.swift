internal import ControlSocket
public import HostEnvironment

/// Check of the files that a program of ours may open.
public enum OpenFiles {
    /// Raises the limit as far as possible; false = it is too low, which was reported.
    public static func suffice(for program: String, _ needed: Int, _ output: Output = .standard) -> Bool {
        do throws(OpenFileLimitError) {
            try OpenFileLimit.prepare(for: program, needed: needed)
            return true
        } catch {
            output.say(error.description)
            return false
        }
    }
}
