// What a program needs of the modules below comes with `import Apus`.
@_exported public import ApusChat
@_exported public import ApusCore
@_exported public import ApusEngine
@_exported public import ApusFormats
@_exported public import ApusGrammar
@_exported public import ApusTensor
@_exported public import ApusTokenizers
