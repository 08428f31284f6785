/** Who looks, what that person may do, and how an action went, in French. */

export const frAccess = {
  act: {
    busy: 'En cours…',
    refused: (reason: string) => `Refusé : ${reason}`,
    save: 'Enregistrer',
    cancel: 'Annuler',
    next: 'Suivant',
    more: 'Voir plus ancien',
    every: 'Toutes',
    everySite: 'tous les sites',
    yes: 'oui',
    no: 'non',
  },
  access: {
    title: 'Se connecter',
    intro: 'Votre nom et votre mot de passe SQAL. Une session dure 12 heures.',
    name: 'Nom',
    password: 'Mot de passe',
    logIn: 'Se connecter',
    logOut: 'Se déconnecter',
    demo: 'Démonstration',
    linkHelp:
      'Pas de mot de passe ? Ouvrez le lien de connexion que vous a remis un administrateur : il ne sert qu’une fois. Dans la démonstration, la console où tourne « sqal demo » affiche ce lien.',
    linkUsed: 'Ce lien de connexion a déjà servi, ou il est trop ancien. Demandez-en un autre.',
    roles: { viewer: 'lecture', operator: 'opérateur', admin: 'administrateur' },
    needs: (role: string) => `Il faut être ${role}.`,
  },
};
