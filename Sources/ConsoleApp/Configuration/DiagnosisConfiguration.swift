internal import ConsoleCore
internal import StreamModel

extension DiagnosisThresholds {
    private enum Field {
        case count(WritableKeyPath<DiagnosisThresholds, Int>)
        case percent(WritableKeyPath<DiagnosisThresholds, Int>)
        case seconds(WritableKeyPath<DiagnosisThresholds, Milliseconds>)
    }

    /// The keys of `[diagnosis]`.
    private static var fields: [(name: String, field: Field, range: ClosedRange<Int>)] {
        [
            ("crash_loop_failures", .count(\.crashLoopFailures), 2...50), ("crash_loop_window_s", .seconds(\.crashLoopWindow), 10...3600),
            ("crash_loop_recent_s", .seconds(\.crashLoopRecent), 10...3600), ("source_silence_s", .seconds(\.sourceSilence), 3...240),
            ("hot_busy_percent", .percent(\.hotBusyPermille), 1...100), ("hot_share_percent", .percent(\.hotSharePermille), 101...1000),
            ("one_key_percent", .percent(\.oneKeyPermille), 1...100), ("slow_checkpoint_percent", .percent(\.slowCheckpointPermille), 10...1000),
            ("slow_storage_percent", .percent(\.slowStoragePermille), 10...1000), ("writing_percent", .percent(\.writingPermille), 1...100),
            ("old_checkpoint_intervals", .count(\.oldCheckpointIntervals), 1...1000), ("late_percent", .percent(\.latePermille), 10...100),
            ("back_pressure_percent", .percent(\.backPressurePermille), 1...100),
        ]
    }

    /// The standard limits, with those of the section in their place.
    init(_ section: ConfigurationSection) throws(ConfigurationError) {
        self.init()
        try section.checkKeys(Self.fields.map(\.name))
        for (name, field, range) in Self.fields {
            guard let number = try section.count(name, range) else { continue }
            switch field {
            case .count(let path): self[keyPath: path] = number
            case .percent(let path): self[keyPath: path] = number * 10
            case .seconds(let path): self[keyPath: path] = .seconds(Int64(number))
            }
        }
    }
}
