import ApusCore

/// How a model is split over files: `split.count` parts named `…-00001-of-0000N.gguf`, each with its `split.no`.
struct GGUFSplit {
    /// The parts' files in order; one file for a model that is not split.
    let paths: [String]
    private let tensorCount: Int?

    private static let numberKey = "split.no"
    private static let countKey = "split.count"
    private static let tensorCountKey = "split.tensors.count"

    /// Reads the split of a model from its first part.
    init(of metadata: GGUFMetadata, path: String) throws {
        let count = try metadata.integerIfPresent(Self.countKey) ?? 1
        guard count != 1 else {
            paths = [path]
            tensorCount = nil
            return
        }
        // Five digits are all a part's name has.
        guard (2...99_999).contains(count) else {
            throw ApusError.malformed(path, Self.countKey, expected: "1 to 99999 parts", found: "\(count)")
        }
        let total = Self.padded(count)
        let number = try metadata.integer(Self.numberKey)
        guard number == 0 else {
            throw ApusError(
                .invalidArgument,
                "\(path): \(Self.numberKey): expected 0 (the first of \(count) parts), found \(number); "
                    + "open the file that ends in -00001-of-\(total).gguf"
            )
        }
        let suffix = "-00001-of-\(total).gguf"
        guard path.hasSuffix(suffix) else {
            throw ApusError(
                .malformedFile,
                "\(path): file name: expected one that ends in \(suffix), by which the other parts are found"
            )
        }
        let prefix = path.dropLast(suffix.count)
        paths = (1...count).map { "\(prefix)-\(Self.padded($0))-of-\(total).gguf" }
        tensorCount = try metadata.integerIfPresent(Self.tensorCountKey)
    }

    /// Checks that a part is the one its name says.
    func check(_ metadata: GGUFMetadata, index: Int, path: String) throws {
        let (number, count) = (try metadata.integer(Self.numberKey), try metadata.integer(Self.countKey))
        guard number == index else {
            throw ApusError.malformed(path, Self.numberKey, expected: "\(index)", found: "\(number)")
        }
        guard count == paths.count else {
            throw ApusError.malformed(path, Self.countKey, expected: "\(paths.count)", found: "\(count)")
        }
    }

    /// Checks the number of tensors of all parts against what the first part claims.
    func check(tensorCount found: Int, path: String) throws {
        guard let tensorCount, tensorCount != found else { return }
        throw ApusError.malformed(path, Self.tensorCountKey, expected: "\(found) (all parts')", found: "\(tensorCount)")
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}
