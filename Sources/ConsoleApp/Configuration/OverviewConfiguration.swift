internal import CellGrid
internal import ConsoleCore

extension Set<OverviewColumn> {
    /// The columns that `[overview]` hides.
    init(_ section: ConfigurationSection) throws(ConfigurationError) {
        self = []
        try section.checkKeys(["hide"])
        for name in try section.texts("hide") ?? [] {
            guard let column = OverviewColumn(rawValue: name) else {
                let names = OverviewColumn.allCases.map(\.rawValue).joined(separator: ", ")
                throw section.failure("hide", "hide: \"\(SafeText(name, limit: 40))\" is no column that can be hidden; there are \(names)")
            }
            insert(column)
        }
    }
}
