/// The redistribution of split lists at another parallelism (Flink's SPLIT_DISTRIBUTE). All elements, in the order of the old subtasks, are cut
/// into contiguous runs of equal length; the first ones are longer by one until the rest is used up. For each further list, the first run goes to
/// the subtask where the longer runs of the last one ended. Pure.
enum OperatorStateDistribution {
    /// - Parameters:
    ///   - totals: number of elements of each list, in the order of the lists.
    ///   - parallelism: the new one, at least 1.
    /// - Returns: range of elements for each list and new subtask.
    static func split(_ totals: [Int], parallelism: Int) -> [[Range<Int>]] {
        var start = 0
        return totals.map { total in
            let base = total / parallelism, longer = total % parallelism
            var ranges = [Range<Int>](repeating: 0..<0, count: parallelism)
            var next = 0
            for turn in 0..<parallelism {
                let end = next + base + (turn < longer ? 1 : 0)
                ranges[(start + turn) % parallelism] = next..<end
                next = end
            }
            start = (start + longer) % parallelism
            return ranges
        }
    }
}
