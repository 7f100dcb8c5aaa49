public import ApusCore
public import ApusEngine
public import ApusTensor

/// How a model is loaded.
///
/// A plain value with the defaults most people want.
public struct ModelOptions: Sendable {
    /// Compute threads; nil takes as many as affinity and CPU quota allow.
    public var threadCount: Int?
    /// The most tokens of prompt and answer together; nil takes what the model was trained for, or as much of it as
    /// fits the memory.
    public var contextLength: Int?
    /// How keys and values are stored.
    public var kvType: KVType
    /// What float matrices are rounded to while loading; nil keeps them as stored.
    public var quantization: ElementType?
    /// Bytes that weights, keys, values and buffers may take together; nil takes 80 % of what the machine or the cgroup
    /// allows.
    public var memoryLimit: Int?
    /// Positions the KV cache holds over all requests; nil takes `contextCount` contexts.
    public var kvPositionCount: Int?
    /// How many requests of full length the KV cache holds, or as many as fit the memory.
    public var contextCount: Int
    /// Where computed prompts outlive the model; nil keeps them in memory only.
    public var prefixFolder: PrefixFolder?
    /// Bytes that a text may take which is embedded or scored beside the engine; nil takes what the plan leaves of the limit.
    package var textByteLimit: Int?
    /// The most sequences that will be under way at once, if that is known.
    package var maximumSequenceCount = Int.max
    /// The most prompt tokens of a step.
    package var chunkLength: Int?
    /// How requests share the engine; its chunk length is the one above.
    package var engine = EngineConfiguration()

    /// `memoryLimit`, or its default.
    package var effectiveMemoryLimit: Int { memoryLimit ?? HostMemory.limit / 5 * 4 }

    /// Where `effectiveMemoryLimit` comes from, for people.
    package var memoryLimitSource: String {
        if memoryLimit != nil { return "as asked for" }
        return HostMemory.isLimitedByControlGroup ? "80 % of the cgroup's limit" : "80 % of the machine's memory"
    }

    /// Creates options.
    public init(
        threadCount: Int? = nil,
        contextLength: Int? = nil,
        kvType: KVType = .f16,
        quantization: ElementType? = nil,
        memoryLimit: Int? = nil,
        kvPositionCount: Int? = nil,
        contextCount: Int = 1,
        prefixFolder: PrefixFolder? = nil
    ) {
        self.threadCount = threadCount
        self.contextLength = contextLength
        self.kvType = kvType
        self.quantization = quantization
        self.memoryLimit = memoryLimit
        self.kvPositionCount = kvPositionCount
        self.contextCount = contextCount
        self.prefixFolder = prefixFolder
    }
}
