internal import ControlSocket

/// Whether a program of ours may open the files that it needs.
public enum OpenFiles {
    /// Raises the limit as far as it can be; false = it does not suffice, and that was said.
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
