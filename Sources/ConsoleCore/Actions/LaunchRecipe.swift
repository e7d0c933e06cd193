import CellGrid
import StreamModel

/// A job's relaunch recipe as the console knows it, where the engine does not.
enum LaunchRecipe: Sendable, Equatable {
    /// The record of actions is being read.
    case sought
    /// Nobody launched it through Weir.
    case unknown
    /// As it was launched, by the record.
    case recorded(JarRecipe)
    /// As the operator typed it.
    case given(JarRecipe)

    var recipe: JarRecipe? {
        switch self {
        case .sought, .unknown: nil
        case .recorded(let recipe), .given(let recipe): recipe
        }
    }

    static let usage: SafeText = "recipe JAR [--class NAME] [--parallelism N] [-- ARGUMENT...]; JAR is a file, or the id of a jar on the cluster"
}

extension ContextState {
    /// A job's relaunch recipe, for screens: from the engine, the record or the operator; nil = unknown.
    func recipe(of job: JobReport) -> JobRecipe? { job.recipe ?? recipes[job.id]?.recipe?.summary }
}

extension ConsoleModel {
    /// Reads the record for the relaunch recipe, once a job, where the engine does not know it.
    mutating func seekRecipe(_ key: JobKey, _ effects: inout [ConsoleEffect]) {
        guard let index = live.index(of: key.context), live.contexts[index].capabilities.needsJarRecipe,
            live.contexts[index].recipes[key.job] == nil
        else { return }
        live.contexts[index].recipes[key.job] = .sought
        effects.append(.loadRecipe(context: key.context, key.job))
    }

    mutating func take(_ recipe: JarRecipe?, of job: JobID, in context: String) {
        guard let index = live.index(of: context) else { return }
        // A recipe typed meanwhile wins.
        if case .given = live.contexts[index].recipes[job] { return }
        live.contexts[index].recipes[job] = recipe.map { .recorded($0) } ?? .unknown
    }

    /// `:recipe ...` sets the relaunch recipe of the job on the screen.
    mutating func runRecipe(_ line: String) {
        let chosen: JobKey? = if case .chooser(let chooser) = modals.last { chooser.key } else { focusedJob }
        guard let key = chosen, let index = live.index(of: key.context), let job = live.contexts[index].job(key.job) else {
            return say("there is no job here", .warn)
        }
        guard live.contexts[index].capabilities.needsJarRecipe else { return say("\(key.context) keeps the relaunch recipes itself", .warn) }
        guard !line.isEmpty else {
            guard let known = live.contexts[index].recipes[key.job]?.recipe else { return say("usage: \(LaunchRecipe.usage)", .warn) }
            return say("\(job.name) is launched with: \(Secrets.masked(known))")
        }
        do throws(JarRecipe.Problem) {
            let recipe = try JarRecipe(line: line)
            live.contexts[index].recipes[key.job] = .given(recipe)
            say("\(job.name) will be launched with \(SafeText(recipe.jarName))", .ok)
        } catch {
            say("recipe: \(error.description)", .warn)
        }
    }
}
