//! JSON Pointers (RFC 6901) while walking a value: a chain on the stack, written out only when somebody asks.

use std::borrow::Cow;

/// Escapes one reference token.
pub(crate) fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) {
        Cow::Owned(token.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(token)
    }
}

/// The tokens of a pointer, unescaped.
pub(crate) fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|token| {
        if token.contains('~') {
            Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(token)
        }
    })
}

/// Where a walk stands.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The search name: with dots, without list markers.
    pub(crate) fn name(&self) -> String {
        match self {
            Path::Root => String::new(),
            Path::Member(Path::Root, name) => (*name).to_owned(),
            Path::Member(parent, name) => format!("{}.{name}", parent.name()),
            Path::Item(parent, _) => parent.name(),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Path::Root => {}
            Path::Member(parent, name) => {
                parent.write(out);
                out.push('/');
                out.push_str(&escape(name));
            }
            Path::Item(parent, index) => {
                parent.write(out);
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped_and_read_back() {
        let root = Path::Root;
        let member = Path::Member(&root, "a/b~c");
        let item = Path::Item(&member, 2);
        assert_eq!(item.pointer(), "/a~1b~0c/2");
        assert_eq!(tokens("/a~1b~0c/2").collect::<Vec<_>>(), ["a/b~c", "2"]);
        assert_eq!(item.name(), "a/b~c");
        assert_eq!(Path::Member(&item, "d").name(), "a/b~c.d");
        assert_eq!(root.pointer(), "");
        assert_eq!(tokens("").count(), 0);
    }
}
