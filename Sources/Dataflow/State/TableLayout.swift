public import CPrefetch

// The memory of a `PagedTable` without its types, for access and prefetching where they are unknown.

@usableFromInline
struct TablePage {
    /// Bitmap; entries start `entriesOffset` bytes behind it.
    @usableFromInline var bitmap: UnsafeMutablePointer<UInt64>
    @usableFromInline var stamp: UInt64
    @inlinable init(bitmap: UnsafeMutablePointer<UInt64>, stamp: UInt64) { (self.bitmap, self.stamp) = (bitmap, stamp) }
}

@usableFromInline
struct TableGroup {
    @usableFromInline var pages: UnsafeMutablePointer<TablePage>
    @usableFromInline var pageCount: Int
    /// Capacity - 1; -1 before the first write to the group.
    @usableFromInline var mask: Int
    @usableFromInline var count: Int
    @usableFromInline var growAt: Int
    @inlinable init(pages: UnsafeMutablePointer<TablePage>, pageCount: Int, mask: Int, count: Int, growAt: Int) {
        self.pages = pages
        self.pageCount = pageCount
        self.mask = mask
        self.count = count
        self.growAt = growAt
    }
}

/// The hot fields, behind one pointer so that access to them needs no exclusivity checks.
@usableFromInline
struct TableHeader {
    @usableFromInline var groups: UnsafeMutablePointer<TableGroup>
    @usableFromInline var firstGroup: Int
    @usableFromInline var groupCount: Int
    @usableFromInline var maxParallelism: Int
    @usableFromInline var pageShift: Int
    @usableFromInline var pageMask: Int
    @usableFromInline var entriesOffset: Int
    @usableFromInline var entryStride: Int
    @usableFromInline var epoch: UInt64
    @usableFromInline var copyBelow: UInt64
    @usableFromInline var count: Int
    @usableFromInline var bytes: Int
    @inlinable
    init(
        groups: UnsafeMutablePointer<TableGroup>, range: Range<Int>, maxParallelism: Int, pageShift: Int, entriesOffset: Int, entryStride: Int
    ) {
        self.groups = groups
        firstGroup = range.lowerBound
        groupCount = range.count
        self.maxParallelism = maxParallelism
        self.pageShift = pageShift
        pageMask = (1 << pageShift) - 1
        self.entriesOffset = entriesOffset
        self.entryStride = entryStride
        epoch = 1
        copyBelow = 0
        count = 0
        bytes = 0
    }
}

extension TableHeader {
    /// Prefetches the slots of these hashes. Changes nothing.
    @inlinable @inline(__always)
    func prefetch(_ hashes: UnsafePointer<UInt64>, _ count: Int) {
        for index in 0..<count {
            let hash = hashes[index]
            let number = KeyGroups.group(ofHash: hash, maxParallelism: maxParallelism) &- firstGroup
            guard UInt(bitPattern: number) < UInt(bitPattern: groupCount), groups[number].mask >= 0 else { continue }
            let place = Int(truncatingIfNeeded: hash) & groups[number].mask
            let page = groups[number].pages[place &>> pageShift]
            let slot = place & pageMask
            prefetch_for_writing(page.bitmap + (slot &>> 6))
            prefetch_for_writing(UnsafeRawPointer(page.bitmap) + (entriesOffset &+ slot &* entryStride))
        }
    }
}

extension TableHeader {
    /// Prefetches the text of the first key in place, for `String` keys: one too long for its 16 bytes is on the heap, at the address in the low
    /// bits of the second word, behind a header of 32 bytes. If the standard library's layout differs, the fetch is useless but harmless: a
    /// prefetch never faults, and the address is used for nothing else.
    @inlinable @inline(__always)
    func prefetchTexts(_ hashes: UnsafePointer<UInt64>, _ count: Int) {
        for index in 0..<count {
            let hash = hashes[index]
            let number = KeyGroups.group(ofHash: hash, maxParallelism: maxParallelism) &- firstGroup
            guard UInt(bitPattern: number) < UInt(bitPattern: groupCount), groups[number].mask >= 0 else { continue }
            let place = Int(truncatingIfNeeded: hash) & groups[number].mask
            let page = groups[number].pages[place &>> pageShift]
            let slot = place & pageMask
            // A vacant slot has no initialised entry.
            guard page.bitmap[slot &>> 6] & (1 << UInt64(truncatingIfNeeded: slot & 63)) != 0 else { continue }
            let entry = UnsafeRawPointer(page.bitmap) + (entriesOffset &+ slot &* entryStride)
            let address = entry.load(fromByteOffset: 8, as: UInt.self) & 0x0fff_ffff_ffff_ffff
            prefetch_for_writing(UnsafeRawPointer(bitPattern: address))
            prefetch_for_writing(UnsafeRawPointer(bitPattern: address &+ 32))
        }
    }
}

/// Tables of one operator, prefetched together. Plain memory: no reference counting. Owned by the operator's states.
@usableFromInline
struct TableList {
    @usableFromInline var headers: UnsafeMutablePointer<UnsafeMutablePointer<TableHeader>>
    @usableFromInline var count = 0
    private var capacity = 4

    @usableFromInline
    init() { headers = .allocate(capacity: capacity) }

    @usableFromInline
    mutating func append(_ header: UnsafeMutablePointer<TableHeader>) {
        if count == capacity {
            let larger = UnsafeMutablePointer<UnsafeMutablePointer<TableHeader>>.allocate(capacity: capacity * 2)
            larger.update(from: headers, count: count)
            headers.deallocate()
            (headers, capacity) = (larger, capacity * 2)
        }
        (headers + count).initialize(to: header)
        count += 1
    }

    @inlinable @inline(__always)
    func prefetch(_ hashes: UnsafePointer<UInt64>, _ number: Int) {
        for index in 0..<count { headers[index].pointee.prefetch(hashes, number) }
    }

    @inlinable @inline(__always)
    func prefetchTexts(_ hashes: UnsafePointer<UInt64>, _ number: Int) {
        for index in 0..<count { headers[index].pointee.prefetchTexts(hashes, number) }
    }

    func release() { headers.deallocate() }
}
