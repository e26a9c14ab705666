//! Which columns a table has, and how wide they are: a pure function of the terminal's width.

/// A column of the table, in the order of display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    Action,
    Key,
    Value,
    Pid,
    Comm,
    Component,
    Container,
    Netns,
    Parent,
}

impl Column {
    const ALL: [Self; 10] = [
        Self::Time,
        Self::Action,
        Self::Key,
        Self::Value,
        Self::Pid,
        Self::Comm,
        Self::Component,
        Self::Container,
        Self::Netns,
        Self::Parent,
    ];

    /// The columns that a narrow terminal does without, the dearest first.
    const OPTIONAL: [Self; 8] = [
        Self::Action,
        Self::Component,
        Self::Container,
        Self::Pid,
        Self::Netns,
        Self::Comm,
        Self::Time,
        Self::Parent,
    ];

    /// Width on a terminal, for those that do not share what is left.
    const fn fixed(self) -> usize {
        match self {
            Self::Time => "07:40:34.939".len(),
            Self::Action => "netns-destroy".len(),
            Self::Pid => "4194304".len(),
            Self::Comm => 15,
            Self::Component => 17,
            Self::Container => 24,
            Self::Netns => "4026532281".len(),
            Self::Parent => 23,
            Self::Key | Self::Value => 0,
        }
    }
}

/// The columns in use, with their widths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) columns: Vec<(Column, usize)>,
    /// Whether cells are cut to their column's width. Otherwise they push the rest of the row.
    pub(super) cuts: bool,
}

/// Below this, another column would make key and value too narrow to be read.
const KEY_AND_VALUE: usize = 40;
/// A key is rarely longer: what is left beyond it goes to the value.
const KEY_AT_MOST: usize = 44;
/// What is left beyond it stays at the right, so that the rest of the row is not far away.
const VALUE_AT_MOST: usize = 60;

impl Layout {
    /// For a file or pipe: every column, nothing cut.
    pub(super) fn piped() -> Self {
        let columns = Column::ALL
            .map(|column| {
                let width = match column {
                    Column::Time => "2026-11-22T07:40:34.939150120Z".len(),
                    Column::Key => 28,
                    Column::Value => 24,
                    // The last column needs no padding.
                    Column::Parent => 0,
                    Column::Action
                    | Column::Pid
                    | Column::Comm
                    | Column::Component
                    | Column::Container
                    | Column::Netns => column.fixed(),
                };
                (column, width)
            })
            .to_vec();
        Self {
            columns,
            cuts: false,
        }
    }

    /// For a terminal of `width` columns: as many columns as leave room for key and value.
    pub(super) fn terminal(width: usize) -> Self {
        // One blank between key and value.
        let mut rest = width.saturating_sub(1);
        let mut chosen = vec![Column::Key, Column::Value];
        for column in Column::OPTIONAL {
            let taken = column.fixed() + 1;
            if rest < KEY_AND_VALUE + taken {
                break;
            }
            rest -= taken;
            chosen.push(column);
        }
        let key = (rest / 2).clamp(1, KEY_AT_MOST);
        let value = rest.saturating_sub(key).clamp(1, VALUE_AT_MOST);
        let columns = Column::ALL
            .into_iter()
            .filter(|column| chosen.contains(column))
            .map(|column| {
                let width = match column {
                    Column::Key => key,
                    Column::Value => value,
                    Column::Time
                    | Column::Action
                    | Column::Pid
                    | Column::Comm
                    | Column::Component
                    | Column::Container
                    | Column::Netns
                    | Column::Parent => column.fixed(),
                };
                (column, width)
            })
            .collect();
        Self {
            columns,
            cuts: true,
        }
    }
}
