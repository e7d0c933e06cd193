public import StreamModel

/// A sink with at-least-once output: records since the last checkpoint are repeated after a restart.
public protocol RecordSink<Element>: Sendable {
    associatedtype Element: Sendable
    associatedtype Writer: RecordWriter where Writer.Element == Element
    /// Makes a writer, on the job's thread, before the subtasks run.
    func makeWriter(_ subtask: SinkSubtask) throws -> Writer
}

/// Writes the records of one subtask. Used on the subtask's thread; an error fails the task.
public protocol RecordWriter<Element> {
    associatedtype Element
    /// Writes records, which remain the caller's.
    mutating func write(_ records: UnsafeMutableBufferPointer<Element>) throws
    /// Makes all written records durable, at every barrier and at the end of the input.
    mutating func flush() throws
    /// Closes the writer, once, as the last call in any case.
    mutating func close()
}

extension RecordWriter {
    public mutating func flush() throws {}
    public mutating func close() {}
}

extension DataStream {
    /// Writes every record to the sink, at-least-once.
    @inlinable
    @discardableResult
    public func write<Sink: RecordSink>(atLeastOnce sink: Sink, name: String = "sink") -> DataStream<Never> where Sink.Element == Element {
        environment.addOperator(name: "\(name) (at least once)", input: forward) { site, _, hooks in
            var writer = try sink.makeWriter(SinkSubtask(site))
            hooks.snapshot = { _ in
                try writer.flush()
                return []
            }
            hooks.endOfInput = { try writer.flush() }
            hooks.close = { writer.close() }
            return { base, count in
                do { try writer.write(UnsafeMutableBufferPointer(start: base, count: count)) } catch { site.context.fail(error) }
            }
        }
    }

    /// Calls a function for every record, at-least-once. An error fails the task.
    @inlinable
    @discardableResult
    public func forEach(_ body: @escaping @Sendable (Element) throws -> Void) -> DataStream<Never> {
        environment.addOperator(name: "forEach", input: forward) { (site: OperatorSite, _: Emitter<Never>, _: inout OperatorHooks) in
            { (base: UnsafeMutablePointer<Element>, count: Int) in
                do { for index in 0..<count { try body(base[index]) } } catch { site.context.fail(error) }
            }
        }
    }
}
