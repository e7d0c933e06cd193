internal import Synchronization

/// Keyed state of one subtask: an open-addressing table per key group, made of fixed-size pages that are copied on write.
///
/// Owned and written by its subtask's thread. `snapshot()` copies only the page addresses and returns at once; a writer thread encodes the pages
/// while the subtask continues. The first write to a page held by a living snapshot copies that page.
///
/// Invariants of the unsafe memory below:
/// 1. A page's bitmap marks its initialised entries; no others are read.
/// 2. `page.stamp` is the epoch of the last write to the page; every snapshot ends an epoch. A page of the table belongs to a living snapshot of
///    epoch e exactly if stamp <= e: had it been written after e while that snapshot lived, the write would have gone to a copy. So pages with
///    stamp < `copyBelow` (the newest living epoch + 1) are copied, the others written in place, and the pages with stamp > e are exactly those
///    written since the snapshot of epoch e.
/// 3. A page that leaves the table (copied or outgrown) while a living snapshot holds it is retired, and freed by the owner once no
///    such snapshot lives. Snapshots keep the table itself alive.
public final class PagedTable<Key: StreamKey, Value: StateCodable>: @unchecked Sendable {
    public struct Entry {
        public var key: Key
        public var value: Value
        @inlinable init(key: Key, value: Value) { (self.key, self.value) = (key, value) }
    }

    @usableFromInline typealias Page = TablePage
    @usableFromInline typealias Group = TableGroup
    @usableFromInline typealias Header = TableHeader

    /// A page that left the table while a snapshot may still read it.
    @usableFromInline
    struct Retired {
        @usableFromInline var page: Page
        @usableFromInline var slots: Int
        /// Epoch of the table when it left: snapshots of earlier epochs, not before its stamp, hold it.
        @usableFromInline var died: UInt64
        @inlinable init(page: Page, slots: Int, died: UInt64) { (self.page, self.slots, self.died) = (page, slots, died) }
    }

    @usableFromInline let header: UnsafeMutablePointer<Header>
    /// Arena for pages of full size; smaller ones, of growing groups, come from the allocator. nil = all do.
    @usableFromInline let arena: PageArena?
    /// Retired pages; those before `retiredHead` are already freed.
    @usableFromInline var retired: [Retired] = []
    @usableFromInline var retiredHead = 0
    @usableFromInline var living: [SnapshotMark] = []

    /// - Parameters:
    ///   - range: the key groups of the subtask.
    ///   - pageBytes: target size of a page; its number of entries is the next lower power of two, at least 64.
    @inlinable
    public init(range: Range<Int>, maxParallelism: Int, pageBytes: Int = 65536) {
        var shift = 6
        while (2 << shift) * MemoryLayout<Entry>.stride <= pageBytes { shift += 1 }
        let bitmapBytes = (1 << shift) / 8
        let alignment = max(MemoryLayout<Entry>.alignment, 8)
        let groups = UnsafeMutablePointer<Group>.allocate(capacity: max(range.count, 1))
        for index in 0..<range.count {
            (groups + index).initialize(to: Group(pages: .allocate(capacity: 1), pageCount: 0, mask: -1, count: 0, growAt: 0))
        }
        header = .allocate(capacity: 1)
        header.initialize(
            to: Header(
                groups: groups, range: range, maxParallelism: maxParallelism, pageShift: shift,
                entriesOffset: (bitmapBytes + alignment - 1) / alignment * alignment, entryStride: MemoryLayout<Entry>.stride))
        let fullPage = header.pointee.entriesOffset + (1 << shift) * MemoryLayout<Entry>.stride
        arena = (16 << 10...256 << 10).contains(fullPage) && alignment <= 64 ? PageArena(pageBytes: fullPage) : nil
    }

    deinit {
        for item in retired[retiredHead...] { free(item.page, slots: item.slots) }
        for index in 0..<header.pointee.groupCount {
            let group = header.pointee.groups[index]
            for page in 0..<group.pageCount { free(group.pages[page], slots: slotsPerPage(group)) }
            group.pages.deallocate()
        }
        header.pointee.groups.deallocate()
        header.deallocate()
    }

    /// Number of entries in all groups.
    public var count: Int { header.pointee.count }
    /// Bytes of the pages in the table (without retired ones).
    public var bytes: Int { header.pointee.bytes }
    public var groupRange: Range<Int> { header.pointee.firstGroup..<header.pointee.firstGroup + header.pointee.groupCount }

    // MARK: Access by key

    /// The entry of `key` for reading; valid until the next change of the table.
    @inlinable
    public func find(_ key: Key, hash: UInt64) -> UnsafePointer<Entry>? {
        let group = self.group(ofHash: hash)
        guard group.pointee.mask >= 0 else { return nil }
        let (found, index) = locate(key, hash: hash, in: group)
        return found ? UnsafePointer(entry(at: index, in: group)) : nil
    }

    /// The entry of `key` for writing, made with `initial` if missing; valid until the next change of the table.
    @inlinable @inline(__always)
    public func upsert(_ key: Key, hash: UInt64, initial: () throws -> Value) rethrows -> UnsafeMutablePointer<Entry> {
        let group = self.group(ofHash: hash)
        if group.pointee.count >= group.pointee.growAt { grow(group) }
        let (found, index) = locate(key, hash: hash, in: group)
        let page = writablePage(of: index, in: group)
        let slot = index & header.pointee.pageMask
        let place = entries(page) + slot
        if !found {
            place.initialize(to: Entry(key: key, value: try initial()))
            page.bitmap[slot &>> 6] |= 1 << UInt64(truncatingIfNeeded: slot & 63)
            group.pointee.count += 1
            header.pointee.count += 1
        }
        return place
    }

    /// Prefetches the slots of these hashes. Changes nothing.
    @inlinable @inline(__always)
    func prefetch(_ hashes: UnsafePointer<UInt64>, _ count: Int) { header.pointee.prefetch(hashes, count) }

    /// Prefetches the texts of keys, once their entries are near.
    @inlinable @inline(__always)
    func prefetchTexts(_ hashes: UnsafePointer<UInt64>, _ count: Int) { header.pointee.prefetchTexts(hashes, count) }

    /// Removes the entry of `key`, closing the gap without a tombstone. False when there was none.
    @inlinable
    @discardableResult
    public func remove(_ key: Key, hash: UInt64) -> Bool {
        let group = self.group(ofHash: hash)
        guard group.pointee.mask >= 0 else { return false }
        let (found, index) = locate(key, hash: hash, in: group)
        guard found else { return false }
        removeEntry(at: index, in: group)
        return true
    }

    /// Removes the entry of an occupied slot; another entry may move there.
    @inlinable
    func removeEntry(at index: Int, in group: UnsafeMutablePointer<Group>) {
        let mask = group.pointee.mask
        var hole = index
        vacate(hole, in: group)?.deinitialize(count: 1)
        var probe = (hole + 1) & mask
        while isOccupied(probe, in: group) {
            let home = Int(truncatingIfNeeded: entry(at: probe, in: group).pointee.key.stableHash) & mask
            if (probe - home) & mask >= (probe - hole) & mask {
                if let from = vacate(probe, in: group) { occupy(hole, in: group, movingFrom: from) }
                hole = probe
            }
            probe = (probe + 1) & mask
        }
        group.pointee.count -= 1
        header.pointee.count -= 1
    }

    /// Examines the next `places` slots of the table from the cursor on, and removes dead entries. Repeated calls find every dead entry.
    @inlinable
    func clean(places: Int, from cursor: inout CleaningCursor, isDead: (Value) -> Bool) {
        let groupCount = header.pointee.groupCount
        guard groupCount > 0, header.pointee.count > 0 else { return }
        var left = places
        while left > 0 {
            let group = header.pointee.groups + cursor.group
            guard cursor.place <= group.pointee.mask else {
                cursor = CleaningCursor(group: cursor.group + 1 < groupCount ? cursor.group + 1 : 0, place: 0)
                left -= 1
                continue
            }
            if isOccupied(cursor.place, in: group), isDead(entry(at: cursor.place, in: group).pointee.value) {
                // The slot is examined again: another entry may be there now. Counting it would let the dead outrun the cleaning.
                removeEntry(at: cursor.place, in: group)
            } else {
                cursor.place += 1
                left -= 1
            }
        }
    }

    /// Removes every entry. Pages held by a living snapshot stay until it ends.
    @inlinable
    public func removeAll() {
        for index in 0..<header.pointee.groupCount {
            let group = header.pointee.groups + index
            let slots = slotsPerPage(group.pointee)
            for pageIndex in 0..<group.pointee.pageCount {
                let page = group.pointee.pages[pageIndex]
                header.pointee.bytes -= pageBytes(slots: slots)
                if page.stamp < header.pointee.copyBelow { retire(page, slots: slots) } else { free(page, slots: slots) }
            }
            group.pointee.pages.deallocate()
            group.initialize(to: Group(pages: .allocate(capacity: 1), pageCount: 0, mask: -1, count: 0, growAt: 0))
        }
        header.pointee.count = 0
    }

    /// Calls `body` with every entry, group by group in ascending order; within a group in table order.
    @inlinable
    public func forEach(_ body: (borrowing Entry) throws -> Void) rethrows {
        for index in 0..<header.pointee.groupCount {
            let group = header.pointee.groups + index
            for slot in 0...max(group.pointee.mask, 0) where group.pointee.mask >= 0 && isOccupied(slot, in: group) {
                try body(entry(at: slot, in: group).pointee)
            }
        }
    }

    // MARK: Snapshots

    /// The present table, for encoding on another thread. Costs a copy of the page addresses.
    /// - Parameter prune: called on the encoding thread: the written form of a value; nil = the entry is left out.
    @inlinable
    public func snapshot(prune: ((Value) -> Value?)? = nil) -> TableSnapshot {
        // Entries with references are released one by one, which takes longer.
        reclaim(limit: _isPOD(Entry.self) ? 16 : 1)
        let epoch = header.pointee.epoch
        header.pointee.epoch = epoch + 1
        header.pointee.copyBelow = epoch + 1
        let groupCount = header.pointee.groupCount
        let groups = UnsafeMutablePointer<Group>.allocate(capacity: max(groupCount, 1))
        for index in 0..<groupCount {
            var group = header.pointee.groups[index]
            let pages = UnsafeMutablePointer<Page>.allocate(capacity: max(group.pageCount, 1))
            pages.update(from: group.pages, count: group.pageCount)
            group.pages = pages
            (groups + index).initialize(to: group)
        }
        let snapshot = TableSnapshot(
            epoch: epoch, firstGroup: header.pointee.firstGroup, groupCount: groupCount, count: header.pointee.count,
            pageCount: { groups[$0].pageCount }, stamp: { groups[$0].pages[$1].stamp },
            encode: { [self] index, page, writer in
                let group = groups[index]
                return encode(group.pages[page], slots: slotsPerPage(group), into: &writer, prune: prune)
            },
            free: {
                for index in 0..<groupCount { groups[index].pages.deallocate() }
                groups.deallocate()
            })
        living.append(snapshot.mark)
        return snapshot
    }

    /// Frees at most `limit` pages held only by ended snapshots. Called by the owner; the table itself calls it at the first write to a page after
    /// a barrier, two for each page that may be copied, so that no barrier has to free them all at once.
    @inlinable
    public func reclaim(limit: Int = .max) {
        if living.contains(where: \.isFinished) {
            living.removeAll { $0.isFinished }
            header.pointee.copyBelow = (living.map(\.epoch).max() ?? 0) + (living.isEmpty ? 0 : 1)
        }
        var freed = 0
        while freed < limit, retiredHead < retired.count, !isHeld(retired[retiredHead]) {
            free(retired[retiredHead].page, slots: retired[retiredHead].slots)
            retiredHead += 1
            freed += 1
        }
        if retiredHead == retired.count || retiredHead > 64 && retiredHead * 2 > retired.count {
            retired.removeFirst(retiredHead)
            retiredHead = 0
        }
    }

    @inlinable
    func isHeld(_ item: Retired) -> Bool { living.contains { $0.epoch >= item.page.stamp && $0.epoch < item.died } }

    @inlinable
    func encode(_ page: Page, slots: Int, into writer: inout StateWriter, prune: ((Value) -> Value?)?) -> Int {
        if let prune { return encode(page, slots: slots, into: &writer, pruning: prune) }
        var encoded = 0
        let entries = self.entries(page)
        for slot in 0..<slots where page.bitmap[slot &>> 6] & (1 << UInt64(truncatingIfNeeded: slot & 63)) != 0 {
            entries[slot].key.encode(into: &writer)
            entries[slot].value.encode(into: &writer)
            encoded += 1
        }
        return encoded
    }

    @inlinable
    func encode(_ page: Page, slots: Int, into writer: inout StateWriter, pruning prune: (Value) -> Value?) -> Int {
        var encoded = 0
        let entries = self.entries(page)
        for slot in 0..<slots where page.bitmap[slot &>> 6] & (1 << UInt64(truncatingIfNeeded: slot & 63)) != 0 {
            guard let value = prune(entries[slot].value) else { continue }
            entries[slot].key.encode(into: &writer)
            value.encode(into: &writer)
            encoded += 1
        }
        return encoded
    }

    /// Restores encoded entries. Keys of other groups are refused.
    @inlinable
    public func load(entries count: Int, group: Int, from reader: inout StateReader) throws(StateDecodingError) {
        try load(entries: count, group: group, from: &reader) { (reader: inout StateReader) throws(StateDecodingError) -> Value? in
            try Value(from: &reader)
        }
    }

    /// - Parameter decode: reads the value of an entry; nil = leave the entry out.
    @inlinable @inline(__always)
    func load(
        entries count: Int, group: Int, from reader: inout StateReader,
        _ decode: (inout StateReader) throws(StateDecodingError) -> Value?
    ) throws(StateDecodingError) {
        guard groupRange.contains(group) else { throw StateDecodingError(offset: reader.offset, problem: "key group \(group) is not the subtask's") }
        for _ in 0..<count {
            let at = reader.offset
            let key = try Key(from: &reader)
            guard let value = try decode(&reader) else { continue }
            let hash = key.stableHash
            guard KeyGroups.group(ofHash: hash, maxParallelism: header.pointee.maxParallelism) == group else {
                throw StateDecodingError(offset: at, problem: "a key that does not belong to key group \(group)")
            }
            upsert(key, hash: hash) { value }.pointee.value = value
        }
    }

    /// Makes room for this many entries in an empty key group, so that it need not grow. Groups of other subtasks, or with entries, stay unchanged.
    @inlinable
    func reserve(entries count: Int, group: Int) {
        guard groupRange.contains(group), count > 0 else { return }
        let place = header.pointee.groups + (group - header.pointee.firstGroup)
        guard place.pointee.mask < 0 else { return }
        var capacity = 16
        while capacity / 4 * 3 < count { capacity *= 2 }
        grow(place, to: capacity)
    }

    // MARK: Pages

    @inlinable @inline(__always)
    func group(ofHash hash: UInt64) -> UnsafeMutablePointer<Group> {
        let group = KeyGroups.group(ofHash: hash, maxParallelism: header.pointee.maxParallelism) &- header.pointee.firstGroup
        // A key of another subtask's group would corrupt memory below, so this check stays in release builds.
        precondition(UInt(bitPattern: group) < UInt(bitPattern: header.pointee.groupCount), "a record reached a subtask that does not own its key group")
        return header.pointee.groups + group
    }

    @inlinable @inline(__always)
    func entries(_ page: Page) -> UnsafeMutablePointer<Entry> {
        (UnsafeMutableRawPointer(page.bitmap) + header.pointee.entriesOffset).assumingMemoryBound(to: Entry.self)
    }

    @inlinable @inline(__always)
    func slotsPerPage(_ group: Group) -> Int { min(group.mask + 1, header.pointee.pageMask + 1) }

    /// Slot of the key, or the vacant slot where it would go. The group has capacity and is never full.
    @inlinable @inline(__always)
    func locate(_ key: Key, hash: UInt64, in group: UnsafeMutablePointer<Group>) -> (found: Bool, index: Int) {
        let mask = group.pointee.mask
        let pages = group.pointee.pages
        let shift = header.pointee.pageShift, pageMask = header.pointee.pageMask
        var index = Int(truncatingIfNeeded: hash) & mask
        while true {
            let page = pages[index &>> shift]
            let slot = index & pageMask
            if page.bitmap[slot &>> 6] & (1 << UInt64(truncatingIfNeeded: slot & 63)) == 0 { return (false, index) }
            if entries(page)[slot].key == key { return (true, index) }
            index = (index &+ 1) & mask
        }
    }

    @inlinable
    func isOccupied(_ index: Int, in group: UnsafeMutablePointer<Group>) -> Bool {
        let slot = index & header.pointee.pageMask
        return group.pointee.pages[index &>> header.pointee.pageShift].bitmap[slot >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    @inlinable
    func entry(at index: Int, in group: UnsafeMutablePointer<Group>) -> UnsafeMutablePointer<Entry> {
        entries(group.pointee.pages[index &>> header.pointee.pageShift]) + (index & header.pointee.pageMask)
    }

    @inlinable @inline(__always)
    func writablePage(of index: Int, in group: UnsafeMutablePointer<Group>) -> Page {
        let pageIndex = index &>> header.pointee.pageShift
        let page = group.pointee.pages[pageIndex]
        if page.stamp >= header.pointee.epoch { return page }
        return firstWrite(to: pageIndex, in: group)
    }

    /// Handles the first write to a page in this epoch: sets its stamp, in a copy if a living snapshot holds the page.
    @inlinable @inline(never)
    func firstWrite(to pageIndex: Int, in group: UnsafeMutablePointer<Group>) -> Page {
        if !living.isEmpty || retiredHead < retired.count { reclaim(limit: 2) }
        if group.pointee.pages[pageIndex].stamp < header.pointee.copyBelow { return copyPage(pageIndex, in: group) }
        group.pointee.pages[pageIndex].stamp = header.pointee.epoch
        return group.pointee.pages[pageIndex]
    }

    @inlinable
    func copyPage(_ pageIndex: Int, in group: UnsafeMutablePointer<Group>) -> Page {
        let old = group.pointee.pages[pageIndex]
        let slots = slotsPerPage(group.pointee)
        let fresh = allocatePage(slots: slots)
        fresh.bitmap.update(from: old.bitmap, count: (slots + 63) / 64)
        let from = entries(old), to = entries(fresh)
        if _isPOD(Entry.self) {
            UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: slots * MemoryLayout<Entry>.stride)
        } else {
            for slot in 0..<slots where old.bitmap[slot >> 6] & (1 << UInt64(slot & 63)) != 0 { (to + slot).initialize(to: from[slot]) }
        }
        group.pointee.pages[pageIndex] = fresh
        header.pointee.bytes -= pageBytes(slots: slots)
        retire(old, slots: slots)
        return fresh
    }

    /// Clears the bit of an occupied slot and returns its (still initialised) entry in a writable page.
    @inlinable
    func vacate(_ index: Int, in group: UnsafeMutablePointer<Group>) -> UnsafeMutablePointer<Entry>? {
        let page = writablePage(of: index, in: group)
        let slot = index & header.pointee.pageMask
        page.bitmap[slot &>> 6] &= ~(1 << UInt64(slot & 63))
        return entries(page) + slot
    }

    @inlinable
    func occupy(_ index: Int, in group: UnsafeMutablePointer<Group>, movingFrom source: UnsafeMutablePointer<Entry>) {
        let page = writablePage(of: index, in: group)
        let slot = index & header.pointee.pageMask
        (entries(page) + slot).moveInitialize(from: source, count: 1)
        page.bitmap[slot &>> 6] |= 1 << UInt64(slot & 63)
    }

    /// Doubles a group (or gives it its first 16 slots) and moves its entries.
    @inlinable @inline(never)
    func grow(_ group: UnsafeMutablePointer<Group>) { grow(group, to: group.pointee.mask < 0 ? 16 : (group.pointee.mask + 1) * 2) }

    /// - Parameter capacity: a power of two, above the present one.
    @inlinable
    func grow(_ group: UnsafeMutablePointer<Group>, to capacity: Int) {
        let old = group.pointee
        let oldSlots = old.mask < 0 ? 0 : slotsPerPage(old)
        let slots = min(capacity, header.pointee.pageMask + 1)
        let pageCount = capacity / slots
        let pages = UnsafeMutablePointer<Page>.allocate(capacity: pageCount)
        for index in 0..<pageCount { (pages + index).initialize(to: allocatePage(slots: slots)) }
        group.pointee.pages = pages
        group.pointee.pageCount = pageCount
        group.pointee.mask = capacity - 1
        group.pointee.growAt = capacity / 4 * 3
        for pageIndex in 0..<old.pageCount {
            let page = old.pages[pageIndex]
            let from = entries(page)
            let isShared = page.stamp < header.pointee.copyBelow
            for slot in 0..<oldSlots where page.bitmap[slot &>> 6] & (1 << UInt64(slot & 63)) != 0 {
                let (_, index) = locate(from[slot].key, hash: from[slot].key.stableHash, in: group)
                let target = pages[index &>> header.pointee.pageShift]
                let targetSlot = index & header.pointee.pageMask
                if isShared {
                    (entries(target) + targetSlot).initialize(to: from[slot])
                } else {
                    (entries(target) + targetSlot).moveInitialize(from: from + slot, count: 1)
                }
                target.bitmap[targetSlot >> 6] |= 1 << UInt64(targetSlot & 63)
            }
            header.pointee.bytes -= pageBytes(slots: oldSlots)
            if isShared {
                retire(page, slots: oldSlots)
            } else {
                deallocate(page, slots: oldSlots)
            }
        }
        old.pages.deallocate()
    }

    @inlinable
    func pageBytes(slots: Int) -> Int { header.pointee.entriesOffset + slots * MemoryLayout<Entry>.stride }

    @inlinable
    func allocatePage(slots: Int) -> Page {
        let size = pageBytes(slots: slots)
        let memory =
            if let arena, slots > header.pointee.pageMask { arena.allocate() } else {
                UnsafeMutableRawPointer.allocate(byteCount: size, alignment: max(64, MemoryLayout<Entry>.alignment))
            }
        let bitmap = memory.bindMemory(to: UInt64.self, capacity: header.pointee.entriesOffset / 8)
        bitmap.update(repeating: 0, count: (header.pointee.pageMask + 64) / 64)
        header.pointee.bytes += size
        return Page(bitmap: bitmap, stamp: header.pointee.epoch)
    }

    @inlinable
    func retire(_ page: Page, slots: Int) {
        retired.append(Retired(page: page, slots: slots, died: header.pointee.epoch))
    }

    @inlinable
    func free(_ page: Page, slots: Int) {
        if !_isPOD(Entry.self) {
            for slot in 0..<slots where page.bitmap[slot &>> 6] & (1 << UInt64(slot & 63)) != 0 { (entries(page) + slot).deinitialize(count: 1) }
        }
        deallocate(page, slots: slots)
    }

    /// Frees the memory; the entries are already gone.
    @inlinable
    func deallocate(_ page: Page, slots: Int) {
        let memory = UnsafeMutableRawPointer(page.bitmap)
        if let arena, slots > header.pointee.pageMask { arena.free(memory) } else { memory.deallocate() }
    }
}

/// Position of the cleaning in a table.
@usableFromInline
struct CleaningCursor {
    /// Index counted from the first group of the table.
    @usableFromInline var group: Int
    @usableFromInline var place: Int
    @inlinable init(group: Int = 0, place: Int = 0) { (self.group, self.place) = (group, place) }
}

/// A table at one moment. Made by the owner of the table; encoded once by a writer thread; `finish()` returns the pages to the owner.
public final class TableSnapshot: @unchecked Sendable {
    // Sound: everything is immutable or atomic, and the closures read only pages that their table does not write while this lives.
    @usableFromInline let mark: SnapshotMark
    /// Epoch of the table that ended with this snapshot.
    let epoch: UInt64
    let firstGroup: Int
    let groupCount: Int
    /// Number of entries in all groups.
    let count: Int
    private let pageCountOfGroup: (Int) -> Int
    private let stampOfPage: (Int, Int) -> UInt64
    private let encodePage: (Int, Int, inout StateWriter) -> Int
    private let free: () -> Void

    @usableFromInline
    init(
        epoch: UInt64, firstGroup: Int, groupCount: Int, count: Int, pageCount: @escaping (Int) -> Int,
        stamp: @escaping (Int, Int) -> UInt64, encode: @escaping (Int, Int, inout StateWriter) -> Int, free: @escaping () -> Void
    ) {
        mark = SnapshotMark(epoch: epoch)
        self.epoch = epoch
        self.firstGroup = firstGroup
        self.groupCount = groupCount
        self.count = count
        pageCountOfGroup = pageCount
        stampOfPage = stamp
        encodePage = encode
        self.free = free
    }

    deinit {
        free()
        mark.finish()
    }

    // Groups are counted from `firstGroup`. A page keeps its number while its group does not grow; a group that has grown has new pages.
    func pageCount(groupAt index: Int) -> Int { pageCountOfGroup(index) }

    /// Whether the page was written after the snapshot that ended `epoch`.
    func isDirty(page: Int, groupAt index: Int, since epoch: UInt64) -> Bool { stampOfPage(index, page) > epoch }

    /// Appends the entries of a page and returns their number.
    func encode(page: Int, groupAt index: Int, into writer: inout StateWriter) -> Int { encodePage(index, page, &writer) }

    /// Appends the entries of a key group and returns their number.
    func encode(groupAt index: Int, into writer: inout StateWriter) -> Int {
        (0..<pageCount(groupAt: index)).reduce(0) { $0 + encode(page: $1, groupAt: index, into: &writer) }
    }

    /// Ends the reading of the pages.
    func finish() { mark.finish() }
}

/// A snapshot's flag for the table's owner: whether it still reads pages. Separate from the snapshot, so that neither keeps the other alive.
@usableFromInline
final class SnapshotMark: Sendable {
    @usableFromInline let epoch: UInt64
    private let finished = Atomic<Bool>(false)

    init(epoch: UInt64) { self.epoch = epoch }

    @usableFromInline var isFinished: Bool { finished.load(ordering: .acquiring) }
    func finish() { finished.store(true, ordering: .releasing) }
}
