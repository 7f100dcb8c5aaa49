/// What a JSON value must look like.
///
/// The same value checks requests and is written into `/openapi.json`, so that the two cannot disagree.
package indirect enum Schema: Sendable {
    /// Anything.
    case any
    case boolean
    /// This truth value only.
    case constant(Bool)
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// A number in a range.
    case number(ClosedRange<Double>)
    /// A string.
    case string
    /// One of these strings.
    case choice([String])
    /// So many elements of a kind.
    case array(Schema, counts: ClosedRange<Int>)
    /// An object with these members and no others.
    case object([Property])
    /// An object with any members of a kind.
    case dictionary(Schema)
    /// Any of these.
    case oneOf([Schema])

    /// A member of an object.
    package struct Property: Sendable {
        package let name: String
        package let schema: Schema
        /// Whether it must be there; one that need not may also be `null`.
        package let isRequired: Bool

        package init(_ name: String, _ schema: Schema, isRequired: Bool = false) {
            self.name = name
            self.schema = schema
            self.isRequired = isRequired
        }
    }

    /// An object with any members.
    package static let anyObject = Schema.dictionary(.any)
}
