import CellGrid
import StreamModel

/// What the console knows of how a job is launched, where the engine itself does not know it.
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
    /// How a job is launched, for screens: as the engine knows it, or the record, or the operator; nil = not known.
    func recipe(of job: JobReport) -> JobRecipe? { job.recipe ?? recipes[job.id]?.recipe?.summary }
}

extension ConsoleModel {
    /// Has the record read, where the engine does not know how the job was launched. Once a job.
    mutating func seekRecipe(_ key: JobKey, _ effects: inout [ConsoleEffect]) {
        guard let index = live.contexts.firstIndex(where: { $0.name == key.context }), live.contexts[index].capabilities.needsJarRecipe,
            live.contexts[index].recipes[key.job] == nil
        else { return }
        live.contexts[index].recipes[key.job] = .sought
        effects.append(.loadRecipe(context: key.context, key.job))
    }

    mutating func take(_ recipe: JarRecipe?, of job: JobID, in context: String) {
        guard let index = live.contexts.firstIndex(where: { $0.name == context }) else { return }
        // What was typed meanwhile counts more.
        if case .given = live.contexts[index].recipes[job] { return }
        live.contexts[index].recipes[job] = recipe.map { .recorded($0) } ?? .unknown
    }

    /// `:recipe ...`: how the job on the screen is to be launched again.
    mutating func runRecipe(_ line: String) {
        let chosen: JobKey? = if case .chooser(let chooser) = modals.last { chooser.key } else { focusedJob }
        guard let key = chosen, let index = live.contexts.firstIndex(where: { $0.name == key.context }), let job = live.contexts[index].job(key.job) else {
            return say("there is no job here", .warn)
        }
        guard live.contexts[index].capabilities.needsJarRecipe else { return say("\(key.context) knows itself how its jobs are launched", .warn) }
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
