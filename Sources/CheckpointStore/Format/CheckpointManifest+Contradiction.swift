internal import StreamModel

extension CheckpointManifest {
    /// The first contradiction in the manifest, or nil. Checked before every write and after every read, so that readers may rely on it: file names
    /// are plain and unique, every range lies within its file, key groups and subtasks ascend and are in range, element lengths add up.
    var contradiction: String? {
        if !(1...32768).contains(maxParallelism) { return "max parallelism is \(maxParallelism)" }
        if checkpoint.rawValue == 0 { return "the checkpoint number is 0" }
        var lengths: [String: UInt64] = [:]
        for file in files {
            if !StorePath.isStateFile(file.name), !StorePath.isSharedFile(file.name) { return "\"\(file.name)\" is no name of a state file" }
            if file.isShared, kind.isSavepoint { return "a savepoint refers to \(file.name), outside of itself" }
            if file.writer(in: self) > checkpoint { return "\(file.name) was written by a later checkpoint" }
            if lengths.updateValue(file.length, forKey: file.name) != nil { return "\(file.name) is listed twice" }
            if file.length < StateFileFormat.minimumLength { return "\(file.name) is listed with \(file.length) bytes" }
        }
        var uids: Set<String> = []
        for state in operators {
            if !uids.insert(state.uid).inserted { return "operator \(state.uid) is listed twice" }
            if let reason = contradiction(in: state, lengths) { return "operator \(state.uid): " + reason }
        }
        for committable in committables where committable.uid.isEmpty || committable.type.isEmpty || committable.subtask < 0 {
            return "an output to be committed has no sink, no type or no subtask"
        }
        return nil
    }

    private func contradiction(in state: OperatorState, _ lengths: [String: UInt64]) -> String? {
        if !(1...32768).contains(state.parallelism) { return "parallelism is \(state.parallelism)" }
        var previous = -1
        for subtask in state.subtasks {
            if subtask.index <= previous || subtask.index >= state.parallelism { return "subtask \(subtask.index) is out of place" }
            previous = subtask.index
            var names: Set<String> = []
            for handle in subtask.states {
                if !names.insert(handle.name).inserted { return "subtask \(subtask.index) has state \(handle.name) twice" }
                if let reason = contradiction(in: handle, lengths) { return "subtask \(subtask.index), state \(handle.name): " + reason }
            }
        }
        return nil
    }

    private func contradiction(in handle: StateHandle, _ lengths: [String: UInt64]) -> String? {
        if handle.kind != .keyed, !handle.sections.isEmpty { return "only keyed state has key groups" }
        let start: UInt64
        switch handle.location {
        case .files(let names):
            guard handle.kind == .keyed, handle.elements == nil else { return "only keyed state lies in several files" }
            return contradiction(inPages: handle.sections, names, lengths)
        case .inline:
            start = 0
        case .file(let name, let offset, let length):
            guard let size = lengths[name] else { return "its file \(name) is not listed" }
            guard offset <= size, length <= size - offset else { return "it ends after its file \(name)" }
            start = offset
        }
        if let elements = handle.elements, elements.reduce(0, { $0.addingSaturating(UInt64($1)) }) != handle.length {
            return "its elements do not add up to its \(handle.length) bytes"
        }
        return contradiction(in: handle.sections, from: start, length: handle.length)
    }

    private func contradiction(in sections: [KeyGroupSection], from start: UInt64, length: UInt64) -> String? {
        var previous = -1
        for section in sections {
            if section.group <= previous || section.group >= maxParallelism { return "key group \(section.group) is out of place" }
            if section.file != 0 { return "key group \(section.group) lies in a file that is not listed" }
            previous = section.group
            guard section.offset >= start, section.offset - start <= length, section.length <= length - (section.offset - start) else {
                return "key group \(section.group) lies outside of it"
            }
        }
        return nil
    }

    private func contradiction(inPages sections: [KeyGroupSection], _ names: [String], _ lengths: [String: UInt64]) -> String? {
        var sizes: [UInt64] = []
        for name in names {
            guard let size = lengths[name] else { return "its file \(name) is not listed" }
            sizes.append(size)
        }
        var previous = 0
        for section in sections {
            if section.group < previous || section.group >= maxParallelism { return "key group \(section.group) is out of place" }
            previous = section.group
            guard sizes.indices.contains(section.file) else { return "a page of key group \(section.group) lies in a file that is not listed" }
            guard section.offset <= sizes[section.file], section.length <= sizes[section.file] - section.offset else {
                return "a page of key group \(section.group) ends after its file \(names[section.file])"
            }
        }
        return nil
    }
}
